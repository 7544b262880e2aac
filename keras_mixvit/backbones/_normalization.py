"""Normalises images by the mean and standard deviation that every backbone takes."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import is_number, numbers_of, require


def as_config(value: Any) -> float | tuple[float, ...] | None:
    """One number unchanged, or several as a tuple of floats, for a config."""
    is_one = is_number(value) or not numbers_of(value)
    return value if is_one else tuple(map(float, value))


def normalized(
    images: Any,
    mean: float | Sequence[float] | None,
    std: float | Sequence[float] | None,
) -> Any:
    """`(images - mean) / std` per channel, or the images if both are `None`.

    Args:
        images: Tensor `(B, H, W, C)`.
        mean: Float or sequence of C floats, or `None`.
        std: Positive float or sequence of C floats, or `None`.

    Returns:
        Tensor of the same shape.

    Raises:
        ValueError: If a sequence does not have C numbers, or a number is out of its
            range.
    """
    if mean is None and std is None:
        return images
    channels = images.shape[-1]
    for argument, value in (("mean", mean), ("std", std)):
        require(
            value is None or is_number(value) or len(numbers_of(value)) == channels,
            f"`{argument}` must be a number or {channels} numbers, one per channel.",
            **{argument: value},
        )
    means = np.broadcast_to(0.0 if mean is None else mean, channels)
    stds = np.broadcast_to(1.0 if std is None else std, channels)
    require(np.all(np.isfinite(means)), "`mean` must be finite.", mean=means.tolist())
    require(np.all(stds > 0), "`std` must be positive.", std=stds.tolist())
    # Not `Normalization`, which loses its constants in an export to ONNX. In float32,
    # because the product is larger than the result.
    layer = keras.layers.Rescaling(
        (1 / stds).tolist(),
        (-means / stds).tolist(),
        name="normalization",
        dtype="float32",
    )
    return layer(images)
