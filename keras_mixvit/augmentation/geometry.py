"""Operations that move pixels, to the nearest one, as Pillow does.

As in Pillow, a matrix leads from a pixel of the result to one of the image, in
65,536ths of a pixel; what lies outside is filled.
"""

import numpy as np

from keras_mixvit.augmentation.arrays import integers, per_image


def affine(images, matrices, fill, xp=np):
    """Images seen through a matrix.

    Args:
        images: Array `(B, H, W, C)`.
        matrices: Array `(B, 6)` of a, b, c, d, e, f: the pixel at x, y of the
            result is that at `a x + b y + c`, `d x + e y + f`.
        fill: Number, what pixels from outside become.
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        Array `(B, H, W, C)`.
    """
    _, height, width, channels = images.shape
    a, b, c, d, e, f = (matrices[:, i] for i in range(6))
    x = _source(a, b, c, height, width, xp)
    y = _source(d, e, f, height, width, xp)
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    x, y = xp.clip(x, 0, width - 1), xp.clip(y, 0, height - 1)
    places = xp.reshape(integers(y * width + x, xp), (-1, height * width, 1))
    flat = xp.reshape(images, (-1, height * width, channels))
    places = xp.repeat(places, channels, axis=2)
    moved = xp.reshape(xp.take_along_axis(flat, places, axis=1), images.shape)
    return xp.where(inside[..., None], moved, fill)


def _source(along_x, along_y, offset, height, width, xp):
    """Coordinates `(B, H, W)` in the image of every pixel of the result."""
    along_x, along_y, start = (
        per_image(xp.floor(value * 65536.0 + 0.5), xp)[..., 0]
        for value in (along_x, along_y, offset + 0.5 * along_x + 0.5 * along_y)
    )
    x = xp.reshape(xp.arange(width, dtype="float32"), (1, 1, -1))
    y = xp.reshape(xp.arange(height, dtype="float32"), (1, -1, 1))
    return xp.floor((start + along_x * x + along_y * y) / 65536.0)


def shear(images, amounts, axis, fill, xp=np):
    """Rows moved to the side, or columns up, in proportion to their place.

    Args:
        images: Array `(B, H, W, C)`.
        amounts: Array `(B,)`, pixels per pixel.
        axis: `"x"` or `"y"`, the direction in which pixels move.
        fill: Number, what pixels from outside become.
        xp: Array namespace. Defaults to `numpy`.
    """
    one, zero = xp.ones_like(amounts), xp.zeros_like(amounts)
    if axis == "x":
        entries = (one, amounts, zero, zero, one, zero)
    else:
        entries = (one, zero, zero, amounts, one, zero)
    return affine(images, xp.stack(entries, axis=1), fill, xp)


def translate(images, shares, axis, fill, xp=np):
    """Pixels moved by a share of the side of the image.

    Args:
        images: Array `(B, H, W, C)`.
        shares: Array `(B,)`, of the width or the height.
        axis: `"x"` or `"y"`, the direction in which pixels move.
        fill: Number, what pixels from outside become.
        xp: Array namespace. Defaults to `numpy`.
    """
    one, zero = xp.ones_like(shares), xp.zeros_like(shares)
    _, height, width, _ = images.shape
    if axis == "x":
        entries = (one, zero, shares * width, zero, one, zero)
    else:
        entries = (one, zero, zero, zero, one, shares * height)
    return affine(images, xp.stack(entries, axis=1), fill, xp)


def rotate(images, degrees, fill, xp=np):
    """Images turned around their centre, against the clock.

    Args:
        images: Array `(B, H, W, C)`.
        degrees: Array `(B,)`.
        fill: Number, what pixels from outside become.
        xp: Array namespace. Defaults to `numpy`.
    """
    _, height, width, _ = images.shape
    angle = degrees * (-np.pi / 180)
    cos, sin = xp.cos(angle), xp.sin(angle)
    x, y = width / 2, height / 2
    entries = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
    return affine(images, xp.stack(entries, axis=1), fill, xp)
