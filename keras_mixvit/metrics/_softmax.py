"""Probabilities of logits."""

from typing import Any

import numpy as np


def softmax(logits: Any) -> np.ndarray:
    """Probabilities of logits, over the last axis, in float64.

    Args:
        logits: Array `(..., K)`.
    """
    values = np.asarray(logits, "float64")
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)
