"""The pixels of one image, as the run prepared its training images."""

import contextlib
import threading
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape
from keras_mixvit.data.sources._image_files import stored
from keras_mixvit.data.sources._resizing import centred, default_share, pillow


def file_pixels(path: str, shape: ImageShape, max_pixels: int) -> np.ndarray | str:
    """Pixels of an image file of any size and colours, or why there are none.

    Args:
        path: Path of the file.
        shape: (H, W, C) of the training images.
        max_pixels: Positive integer, how many pixels a file may have.
    """

    def check(image):
        width, height = image.size
        require(
            width * height <= max_pixels,
            f"Image files must have at most {max_pixels:,} pixels; `max_pixels`, or "
            "--max-pixels, allows more.",
            width=width,
            height=height,
        )

    try:
        with LIMIT.lifted():
            pixels, mode = stored(path, shape[2], check)
        require(
            pixels is not None,
            "Image files must have 8 or 16 bits a channel.",
            mode=mode,
        )
        return centred(pixels, shape[:2], default_share(shape[:2]))
    except Exception as error:
        # One line, whatever a decoder says.
        return " ".join(f"{error or type(error).__name__}".split())


def array_pixels(image: np.ndarray, shape: ImageShape) -> np.ndarray | str:
    """Pixels of an image of an array that fits, or why there are none.

    Args:
        image: Array `(h, w, C)`.
        shape: (H, W, C) of the training images.
    """
    if image.dtype == np.uint8:
        return centred(image, shape[:2], default_share(shape[:2]))
    if image.dtype.kind == "f" and not np.isfinite(image).all():
        return "Pixels must be finite. Received: an image with NaN or infinity"
    return image.astype("float32")


def require_fit(images: Any, shape: ImageShape, name: str) -> None:
    """Requires an array of images to be of a kind that can be prepared.

    Args:
        images: What has a `shape` and a `dtype`.
        shape: (H, W, C) of the training images.
        name: String, what errors call the array.
    """
    found, dtype = tuple(images.shape), np.dtype(images.dtype)
    require(
        dtype.kind in "fu",
        "`images` must be of a floating-point or unsigned-integer dtype.",
        images=name,
        dtype=str(dtype),
    )
    require(
        len(found) == 4 and found[0] > 0 and min(found) > 0,
        "`images` must have shape (n, H, W, C) and not be empty; grey images have "
        "C = 1.",
        images=name,
        shape=found,
    )
    require(
        found[3] == shape[2],
        f"`images` must have as many channels as the training images, {shape[2]}.",
        images=name,
        shape=found,
    )
    require(
        dtype == np.uint8 or found[1:] == tuple(shape),
        f"`images` must have shape {(found[0], *shape)} if they are not uint8; uint8 "
        "images of any size are resized.",
        images=name,
        shape=found,
        dtype=str(dtype),
    )


class Limit:
    """Pillow's own limit of pixels, which is lifted while there is another one.

    It is one of the process, so it is put back when the last thread is done.
    """

    def __init__(self):
        self._lock, self._count, self._own = threading.Lock(), 0, None

    @contextlib.contextmanager
    def lifted(self):
        """A context in which Pillow opens files of any size."""
        Image = pillow()
        with self._lock:
            if not self._count:
                self._own, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
            self._count += 1
        try:
            yield
        finally:
            with self._lock:
                self._count -= 1
                if not self._count:
                    Image.MAX_IMAGE_PIXELS = self._own


LIMIT = Limit()
