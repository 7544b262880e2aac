"""Functions that NumPy and `keras.ops` name differently."""

import numpy as np
from keras import ops


def per_image(values, xp=np):
    """Numbers `(B,)` as `(B, 1, 1, 1)`, to broadcast over images."""
    return xp.reshape(values, (-1, 1, 1, 1))


def integers(values, xp=np):
    """Whole numbers or truth values as int32."""
    return values.astype("int32") if xp is np else ops.cast(values, "int32")


def floats(values, xp=np):
    """Numbers as float32."""
    return values.astype("float32") if xp is np else ops.cast(values, "float32")
