"""Resizes position tables."""

import keras
import numpy as np


def resized_grid(table: np.ndarray, grid_shape: tuple[int, int]) -> np.ndarray:
    """A position table for another grid, as timm resizes it: bicubic, antialiased.

    Args:
        table: Array `(h, w, d)`.
        grid_shape: Tuple of integers (h, w), the wanted grid.

    Returns:
        Array `(h, w, d)` in float32.
    """
    grid = keras.ops.image.resize(
        table.astype("float32")[None],
        grid_shape,
        interpolation="bicubic",
        antialias=True,
        data_format="channels_last",
    )
    return keras.ops.convert_to_numpy(grid)[0]
