"""Named arrays from elsewhere, and whether they fit."""

import keras
import numpy as np

from keras_mixvit._checks import require


def as_array(value) -> np.ndarray:
    """An array of any library, PyTorch's with gradients or bfloat16 among them."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    return np.asarray(keras.ops.convert_to_numpy(value))


def require_match(arrays: dict, expected: dict, requirement: str) -> None:
    """Requires arrays to have all names and shapes that are expected, no other.

    Args:
        arrays: Dict from names to arrays.
        expected: Dict from names to shapes.
        requirement: The sentence of the error, before what was received.
    """
    missing = [name for name in expected if name not in arrays]
    unexpected = [name for name in arrays if name not in expected]
    shapes = {
        name: f"{arrays[name].shape} instead of {shape}"
        for name, shape in expected.items()
        if name in arrays and arrays[name].shape != shape
    }
    require(
        not (missing or unexpected or shapes),
        requirement,
        missing=missing,
        unexpected=unexpected,
        shapes=shapes,
    )
