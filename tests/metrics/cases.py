"""Predictions that Hypothesis draws."""

import numpy as np
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32 - 1)
# Multiples of a half, so that many are equal, and numbers at the ends of float32.
SCALES = st.sampled_from([0.0, 0.5, 3.0, 40.0, 1e4, 1e30, 1e37])


@st.composite
def predictions(draw, members=None, most=30):
    """Logits and labels, some of them with ties or without one of the classes."""
    rng = np.random.default_rng(draw(SEEDS))
    n, classes = draw(st.integers(1, most)), draw(st.integers(1, 6))
    shape = (n, classes) if members is None else (n, draw(members), classes)
    values = rng.normal(size=shape)
    if draw(st.booleans()):
        values = np.round(2 * values) / 2
    logits = draw(SCALES) * values
    labels = rng.integers(draw(st.integers(1, classes)), size=n)
    if draw(st.booleans()):
        hint = np.eye(classes)[labels]
        logits = logits + 2 * (hint if members is None else hint[:, None])
    return logits.astype(draw(st.sampled_from(["float32", "float64"]))), labels


def labelled(labels, is_soft):
    return np.eye(3, dtype="float32")[labels] if is_soft else labels
