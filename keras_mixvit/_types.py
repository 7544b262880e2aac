"""Names of types in annotations."""

import types
from typing import Any, TypeAlias

import keras

# A tensor of one of the backends, or a NumPy array that is taken for one.
Tensor: TypeAlias = Any
# `numpy`, or what has the same functions for tensors, such as `keras.ops`.
Namespace: TypeAlias = types.ModuleType
# (H, W, C) of an image.
ImageShape: TypeAlias = tuple[int, int, int]
# (H, W) of an image, or (h, w) of a grid.
Size: TypeAlias = tuple[int, int]
# Of a result; `None` is Keras's default.
Dtype: TypeAlias = str | keras.DTypePolicy | None
