"""Reads named arrays of another library, and checks that they fit."""

import os
from collections.abc import Mapping

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.convert._read_weights import read_weights


def named_arrays(weights: Mapping | str | os.PathLike) -> Mapping:
    """Weights by name: a mapping unchanged, or the content of a file."""
    if isinstance(weights, Mapping):
        return weights
    require(
        isinstance(weights, (str, os.PathLike)),
        "`weights` must be a mapping from names to arrays, or the path of a file.",
        weights=weights,
    )
    return read_weights(weights)


def as_array(value) -> np.ndarray:
    """A NumPy array from one of any library, even with gradients or in bfloat16."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if value.is_floating_point() else value
    return np.asarray(keras.ops.convert_to_numpy(value))


def require_match(arrays: dict, expected: dict, requirement: str) -> None:
    """Requires exactly the expected names and shapes.

    Args:
        arrays: Dict from names to arrays.
        expected: Dict from names to shapes.
        requirement: String, the first sentence of the error.
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


def require_real(arrays: dict) -> None:
    """Requires arrays of real numbers, bfloat16 included.

    Args:
        arrays: Dict from names to arrays.
    """
    found = {
        name: str(array.dtype)
        for name, array in arrays.items()
        if array.dtype.kind in "OUSMmc"
    }
    require(not found, "`weights` must hold real numbers.", dtypes=found)


def require_finite(arrays: dict) -> None:
    """Requires weights that are finite in float32, because NaN would spread.

    Args:
        arrays: Dict from names to arrays of real numbers.
    """
    with np.errstate(over="ignore"):
        found = {
            name: f"{count} of {array.size} values"
            for name, array in arrays.items()
            if (count := array.size - np.isfinite(array.astype("float32")).sum())
        }
    require(
        not found,
        "`weights` must be finite. Weights with NaN or infinity come from a damaged "
        "file or a training that diverged.",
        not_finite=found,
    )
