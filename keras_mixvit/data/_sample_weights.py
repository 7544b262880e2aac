"""Weights of images, kept beside their labels while these are mixed."""

import numpy as np

from keras_mixvit._checks import require


def require_weights(sample_weight, count: int) -> np.ndarray:
    """Weights as a float32 array, one for each image.

    Args:
        sample_weight: Array-like.
        count: Integer, the number n of images.

    Raises:
        ValueError: If they are not n finite numbers that are not negative.
    """
    weights = np.asarray(sample_weight)
    require(
        weights.shape == (count,) and weights.dtype.kind in "iuf",
        f"`sample_weight` must be {count} numbers, one for each image.",
        shape=weights.shape,
        dtype=str(weights.dtype),
    )
    require(
        bool(np.all(np.isfinite(weights) & (weights >= 0))),
        "`sample_weight` must be finite and not negative.",
        range=(float(weights.min()), float(weights.max())),
    )
    return weights.astype("float32")


def with_weights(labels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Labels `(n,)` or `(n, K)` and weights `(n,)` as columns of one array."""
    columns = labels.reshape(len(labels), -1).astype("float32")
    return np.concatenate([columns, weights[:, None]], axis=1)


def without_weights(columns: np.ndarray, is_soft: bool):
    """Labels `(B, M)` or `(B, M, K)`, and weights `(B, M)`.

    Args:
        columns: Array `(B, M, 2)` or `(B, M, K + 1)`.
        is_soft: Boolean, whether labels are soft.
    """
    labels, weights = columns[..., :-1], columns[..., -1]
    return labels if is_soft else labels[..., 0].astype("int32"), weights
