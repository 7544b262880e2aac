"""Crops and sizes of single images, by Pillow."""

import math

import numpy as np

from keras_mixvit._checks import require

# The usual evaluation on ImageNet: 224 pixels out of the middle of 256.
RESIZE_SHARE = 0.875
SMALLEST_SHARED = 128
# A resized image of more than this many times the pixels that are kept is never
# made: a strip of 1 x 30,000 pixels would fill the memory.
MOST_OVERHANG = 64


def pillow():
    """Pillow's module `Image`, imported only for files and resizing."""
    try:
        from PIL import Image
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Reading and resizing images needs Pillow: "
            'pip install "keras_mixvit[data]".'
        ) from error
    return Image


def default_share(image_size) -> float:
    """The share of the resized shorter side that the centre crop keeps."""
    return RESIZE_SHARE if min(image_size) >= SMALLEST_SHARED else 1.0


def resized(image, image_size, box=None):
    """An image, or a box of it, of another size, bicubic.

    Args:
        image: uint8 array `(h, w, C)`.
        image_size: Tuple of integers (H, W).
        box: Tuple of floats (left, top, right, bottom) in pixels, or `None`
            for all of it. Defaults to `None`.

    Returns:
        uint8 array `(H, W, C)`.
    """
    Image = pillow()
    height, width = image_size

    def one(pixels):
        pixels = Image.fromarray(np.ascontiguousarray(pixels))
        return np.asarray(pixels.resize((width, height), Image.Resampling.BICUBIC, box))

    if image.shape[2] == 3:
        return one(image)
    return np.stack([one(image[..., c]) for c in range(image.shape[2])], axis=-1)


def cropped(image, box, image_size):
    """The box (top, left, height, width) of an image, resized.

    Args:
        image: uint8 array `(h, w, C)`.
        box: Tuple of four numbers in pixels of `image`.
        image_size: Tuple of integers (H, W).

    Returns:
        uint8 array `(H, W, C)`.

    Raises:
        ValueError: If the box is empty or not inside the image.
    """
    top, left, height, width = (float(value) for value in box)
    limits = image.shape[:2]
    # Sums of floats may be beyond the border by a rounding.
    bottom, right = top + height, left + width
    inside = bottom <= limits[0] + 1e-3 and right <= limits[1] + 1e-3
    require(
        0 <= top < bottom and 0 <= left < right and inside,
        "`crop` must give a box (top, left, height, width) inside the image.",
        box=(top, left, height, width),
        image=limits,
    )
    # Cut out first: the kernel must not see what is beside the box.
    row, column = math.floor(top), math.floor(left)
    image = image[row : math.ceil(bottom - 1e-3), column : math.ceil(right - 1e-3)]
    bottom, right = min(bottom - row, len(image)), min(right - column, image.shape[1])
    return resized(image, image_size, (left - column, top - row, right, bottom))


def centred(image, image_size, resize_share: float):
    """The middle of an image whose shorter side is resized.

    Sizes and offsets are rounded as torchvision's `Resize` and `CenterCrop`
    do. An image of the target size stays as it is.

    Args:
        image: uint8 array `(h, w, C)`.
        image_size: Tuple of integers (H, W).
        resize_share: Float in (0, 1], the part of the resized shorter side
            that is kept.

    Returns:
        uint8 array `(H, W, C)`.
    """
    (h, w), (height, width) = image.shape[:2], image_size
    if (h, w) == (height, width):
        return image
    rows, columns = round(height / resize_share), round(width / resize_share)
    # The side that needs more magnification decides; the other one overhangs.
    if rows * w >= columns * h:
        columns = rows * w // h
    else:
        rows = columns * h // w
    top, left = round((rows - height) / 2), round((columns - width) / 2)
    if rows * columns > MOST_OVERHANG * height * width:
        x, y = w / columns, h / rows
        right, bottom = min(w, (left + width) * x), min(h, (top + height) * y)
        return resized(image, image_size, (left * x, top * y, right, bottom))
    if (h, w) != (rows, columns):
        image = resized(image, (rows, columns))
    return image[top : top + height, left : left + width]
