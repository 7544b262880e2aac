"""Few logits and labels, and their NLL written out in NumPy."""

import numpy as np

RNG = np.random.default_rng(0)
LABELS = np.array([0, 2, 1, 1, 0])
MEMBER_LOGITS = RNG.normal(size=(5, 2, 3)).astype("float32")
MEMBER_LABELS = RNG.integers(3, size=(5, 2))


def plain_nll(labels, logits):
    """NLL of each prediction, written out in NumPy."""
    logits = np.asarray(logits, "float64")
    if np.ndim(labels) < logits.ndim:
        labels = np.eye(logits.shape[-1])[labels]
    top = logits.max(axis=-1, keepdims=True)
    log_sum = top + np.log(np.exp(logits - top).sum(axis=-1, keepdims=True))
    return -np.sum(labels * (logits - log_sum), axis=-1)


def result(metric, *arguments, **keywords):
    metric.update_state(*arguments, **keywords)
    return float(metric.result())
