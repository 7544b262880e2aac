"""Operations that move pixels, by the nearest pixel, as in Pillow.

As in Pillow, a matrix maps a pixel of the result to a pixel of the image, in
65,536ths of a pixel. Pixels from outside the image are filled.
"""

import numpy as np

from keras_mixvit.augmentation._arrays import integers, per_image


def affine(images, matrices, fill, xp=np):
    """Images seen through a matrix.

    Args:
        images: Array `(B, H, W, C)`.
        matrices: Array `(B, 6)` of a, b, c, d, e, f: the pixel at x, y of the
            result is that at `a x + b y + c`, `d x + e y + f`.
        fill: Number, the value of pixels from outside.
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
    positions = xp.reshape(integers(y * width + x, xp), (-1, height * width, 1))
    flat = xp.reshape(images, (-1, height * width, channels))
    positions = xp.repeat(positions, channels, axis=2)
    found = xp.take_along_axis(flat, positions, axis=1)
    found = xp.reshape(found, (-1, height, width, channels))
    return xp.where(inside[..., None], found, fill)


def _source(along_x, along_y, offset, height, width, xp):
    """Coordinates `(B, H, W)` in the image of every pixel of the result."""
    along_x, along_y, start = (
        per_image(xp.floor(value * 65536.0 + 0.5), xp)[..., 0]
        for value in (along_x, along_y, offset + 0.5 * along_x + 0.5 * along_y)
    )
    x = xp.reshape(xp.arange(width, dtype="float32"), (1, 1, -1))
    y = xp.reshape(xp.arange(height, dtype="float32"), (1, -1, 1))
    return xp.floor((start + along_x * x + along_y * y) / 65536.0)


def shear_x(amounts, height, width, xp=np):
    """Rows moved to the side in proportion to their position, pixels per pixel."""
    one, zero = xp.ones_like(amounts), xp.zeros_like(amounts)
    return xp.stack((one, amounts, zero, zero, one, zero), axis=1)


def shear_y(amounts, height, width, xp=np):
    """Columns moved up in proportion to their position, pixels per pixel."""
    one, zero = xp.ones_like(amounts), xp.zeros_like(amounts)
    return xp.stack((one, zero, zero, amounts, one, zero), axis=1)


def translate_x(shares, height, width, xp=np):
    """Pixels moved to the side by a share of the width."""
    one, zero = xp.ones_like(shares), xp.zeros_like(shares)
    return xp.stack((one, zero, shares * width, zero, one, zero), axis=1)


def translate_y(shares, height, width, xp=np):
    """Pixels moved up by a share of the height."""
    one, zero = xp.ones_like(shares), xp.zeros_like(shares)
    return xp.stack((one, zero, zero, zero, one, shares * height), axis=1)


def rotate(degrees, height, width, xp=np):
    """Images turned around their centre, against the clock, by degrees."""
    angle = degrees * (-np.pi / 180)
    cos, sin = xp.cos(angle), xp.sin(angle)
    x, y = width / 2, height / 2
    entries = (cos, sin, x - cos * x - sin * y, -sin, cos, y + sin * x - cos * y)
    return xp.stack(entries, axis=1)


# From strengths `(B,)`, height, width and namespace to matrices `(B, 6)`.
MATRICES = {
    "shear_x": shear_x,
    "shear_y": shear_y,
    "translate_x": translate_x,
    "translate_y": translate_y,
    "rotate": rotate,
}


def moved(name: str, images, strength, fill, xp=np):
    """Images whose pixels an operation moves.

    Args:
        name: String, a key of `MATRICES`.
        images: Array `(B, H, W, C)`.
        strength: Array `(B,)`.
        fill: Number, the value of pixels from outside.
        xp: Array namespace. Defaults to `numpy`.
    """
    _, height, width, _ = images.shape
    return affine(images, MATRICES[name](strength, height, width, xp), fill, xp)
