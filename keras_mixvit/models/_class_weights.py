"""Weights of classes, for integer and soft labels."""

from typing import Any

import numpy as np
from keras import ops

from keras_mixvit._checks import is_integer, require
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset

FORM = (
    '`class_weight` must be None, "balanced", or a dict from classes 0 to {last} to '
    "finite numbers that are not negative."
)


def class_weights(
    class_weight: Any, x: Any, y: Any, num_classes: int
) -> np.ndarray | None:
    """The weight of each class, `(K,)`, or `None` if all are equal.

    Args:
        class_weight: That of `fit`.
        x: A `MixedPairDataset`, or anything else that Keras takes.
        y: Labels, or `None`.
        num_classes: Integer, the number K of classes.

    Raises:
        ValueError: If `class_weight` is not one of these, or is `"balanced"` and the
            labels are not known.
    """
    if class_weight is None:
        return None
    form = FORM.format(last=num_classes - 1)
    if isinstance(class_weight, str):
        require(class_weight == "balanced", form, class_weight=class_weight)
        labels = x.y if isinstance(x, MixedPairDataset) else y
        require(
            isinstance(labels, np.ndarray),
            "`class_weight` must be a dict if `x` does not give all labels at once: "
            '"balanced" needs a `mixed_pair_dataset` or arrays.',
            x=type(x).__name__,
        )
        return balanced(labels, num_classes, rank=2 if isinstance(x, dict) else 1)
    require(isinstance(class_weight, dict), form, class_weight=class_weight)
    weights = np.ones(num_classes, "float32")
    for index, weight in class_weight.items():
        require(
            is_integer(index)
            and 0 <= index < num_classes
            and np.ndim(weight) == 0
            and np.isfinite(weight)
            and weight >= 0,
            form,
            class_weight=class_weight,
        )
        weights[index] = weight
    return weights


def balanced(labels: np.ndarray, num_classes: int, rank: int = 1) -> np.ndarray:
    """Weights $n / (K n_k)$, which make every class count the same.

    Args:
        labels: Integer labels of rank `rank`, or soft labels with one more axis.
        num_classes: Integer, the number K of classes.
        rank: Integer, the rank of integer labels. Defaults to `1`.

    Returns:
        float32 array `(K,)`; 1 for a class without samples.
    """
    if labels.ndim > rank and labels.shape[-1] == num_classes:
        counts = labels.reshape(-1, num_classes).sum(axis=0, dtype="float64")
    else:
        counts = np.bincount(labels.ravel().astype("int64"), minlength=num_classes)
    weights = counts.sum() / (num_classes * np.where(counts > 0, counts, 1))
    return np.where(counts > 0, weights, 1).astype("float32")


def weights_of(labels: Any, weights: np.ndarray, rank: int) -> Any:
    """The weight of each label: that of its class, or their mean.

    Args:
        labels: Integer labels `(B,)`, `(B, 1)` or `(B, M)`, or soft labels with one
            more axis, where each class counts by its share.
        weights: Array `(K,)`.
        rank: Integer, the rank of integer labels.

    Returns:
        float32 tensor `(B,)` or `(B, M)`.
    """
    weights = ops.convert_to_tensor(weights)
    if rank == 1 and len(labels.shape) == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if len(labels.shape) > rank:
        return ops.sum(ops.cast(labels, "float32") * weights, axis=-1)
    return ops.take(weights, ops.cast(labels, "int32"), axis=0)
