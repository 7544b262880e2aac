import contextlib

import keras
import numpy as np

from keras_mixvit._checks import require, require_choice

# Larger arrays are sent to the device batch by batch, unless you ask otherwise.
SIZE_LIMIT = 2 * 1024**3


class DeviceImages:
    """Images that stay on the device while a model trains.

    Args:
        images: Array `(n, H, W, C)`.

    Attributes:
        value: Tensor `(n, H, W, C)`, in a compiled step on JAX its tracer, or
            `None` while they are not on the device.
    """

    def __init__(self, images: np.ndarray):
        self.images, self.value = images, None
        self.send()

    def send(self) -> None:
        """Puts the images on the device, if they are not there.

        Call it outside of a compiled step, whose arrays do not outlive the step.
        """
        if self.value is not None:
            return
        images = self.images
        # Keras's default, as for images that are read batch by batch.
        if images.dtype.kind == "f":
            images = images.astype("float32", copy=False)
        self.value = keras.ops.convert_to_tensor(images)

    def release(self) -> None:
        """Frees the memory of the device."""
        self.value = None

    @contextlib.contextmanager
    def traced(self, value):
        """Replaces `value` by another tensor within the context."""
        before, self.value = self.value, value
        try:
            yield
        finally:
            self.value = before


def keeps_on_device(x, apply_on: str, keep_on_device: bool | None) -> bool:
    """Whether `fit` should keep images in the memory of the device.

    Args:
        x: Array or source of images.
        apply_on: As in `mixed_pair_dataset`.
        keep_on_device: Likewise.

    Raises:
        ValueError: If `keep_on_device` is `True` and the images cannot stay
            there.
    """
    require_choice("apply_on", apply_on, ("pipeline", "device"))
    require(
        keep_on_device is None or isinstance(keep_on_device, bool),
        "`keep_on_device` must be True, False or None.",
        keep_on_device=keep_on_device,
    )
    require(
        not keep_on_device or apply_on == "device",
        '`keep_on_device` must be False or None with `apply_on="pipeline"`.',
        keep_on_device=keep_on_device,
        apply_on=apply_on,
    )
    is_array = isinstance(x, np.ndarray) and (x.dtype == "uint8" or x.dtype.kind == "f")
    require(
        not keep_on_device or is_array,
        "`keep_on_device` must be False or None unless `x` is an array of uint8 or "
        "floats.",
        x=f"{type(x).__name__} of {x.dtype}",
    )
    if keep_on_device is None:
        return apply_on == "device" and is_array and x.nbytes <= SIZE_LIMIT
    return keep_on_device
