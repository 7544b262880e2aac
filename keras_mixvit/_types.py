"""Types for annotations."""

import types
from typing import Any, TypeAlias

import keras

# A tensor of any backend, or a NumPy array in its place.
Tensor: TypeAlias = Any
# `numpy`, or a module with the same functions for tensors, such as `keras.ops`.
Namespace: TypeAlias = types.ModuleType
# (H, W, C) of an image.
ImageShape: TypeAlias = tuple[int, int, int]
# (H, W) of an image, or (h, w) of a grid.
Size: TypeAlias = tuple[int, int]
# The dtype of a result; `None` is Keras's default.
Dtype: TypeAlias = str | keras.DTypePolicy | None
