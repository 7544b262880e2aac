"""Operations on the colours of images, as Pillow computes them on bytes.

Images and results are arrays `(B, H, W, C)` of whole numbers from 0 to 255, in a
floating dtype; strengths are arrays `(B,)`. Everything is written for an array
namespace: `numpy` in the pipeline, `keras.ops` in a compiled step.
"""

import numpy as np

from keras_mixvit.augmentation._arrays import floats, integers, per_image

# Pillow's weights of red, green and blue, in 65,536ths.
GREY = (19595.0, 38470.0, 7471.0)


def invert(images, xp=np):
    """255 minus each value.

    Args:
        images: Array `(B, H, W, C)`.
        xp: Array namespace. Defaults to `numpy`.
    """
    return 255.0 - images


def posterize(images, bits, xp=np):
    """Values with all but their highest bits set to 0.

    Args:
        images: Array `(B, H, W, C)`.
        bits: Array `(B,)` of whole numbers from 0 to 8.
        xp: Array namespace. Defaults to `numpy`.
    """
    step = per_image(2.0 ** (8.0 - bits), xp)
    return xp.floor(images / step) * step


def solarize(images, threshold, xp=np):
    """Values inverted where they reach a threshold.

    Args:
        images: Array `(B, H, W, C)`.
        threshold: Array `(B,)` from 0 to 256.
        xp: Array namespace. Defaults to `numpy`.
    """
    return xp.where(images < per_image(threshold, xp), images, 255.0 - images)


def solarize_add(images, addition, xp=np):
    """Values below 128 raised by a whole number, at most to 255.

    Args:
        images: Array `(B, H, W, C)`.
        addition: Array `(B,)` of whole numbers.
        xp: Array namespace. Defaults to `numpy`.
    """
    raised = xp.minimum(images + per_image(addition, xp), 255.0)
    return xp.where(images < 128.0, raised, images)


def autocontrast(images, xp=np):
    """Values of each channel stretched to 0 to 255.

    Args:
        images: Array `(B, H, W, C)`.
        xp: Array namespace. Defaults to `numpy`.
    """
    low = xp.min(images, axis=(1, 2), keepdims=True)
    high = xp.max(images, axis=(1, 2), keepdims=True)
    scale = 255.0 / xp.maximum(high - low, 1.0)
    stretched = xp.clip(xp.floor((images - low) * scale), 0.0, 255.0)
    return xp.where(high > low, stretched, images)


def equalize(images, xp=np):
    """Values of each channel mapped so that their histogram is even.

    Args:
        images: Array `(B, H, W, C)`.
        xp: Array namespace. Defaults to `numpy`.
    """
    _, height, width, channels = images.shape
    pixels = height * width
    rows = xp.reshape(xp.transpose(images, (0, 3, 1, 2)), (-1, pixels))
    ordered = xp.sort(rows, axis=1)
    # One sorted line of all rows, each above the one before it, so that one
    # bisection counts the pixels up to each level in each row.
    before = xp.cumsum(xp.ones_like(rows[:, :1]), axis=0) - 1.0
    if xp is np:  # Beyond 2**24 a float32 is no longer exact.
        before = before.astype("float64")
    offsets = 256.0 * before
    line = xp.reshape(ordered + offsets, (-1,))
    levels = xp.reshape(offsets + xp.arange(256, dtype="float32"), (-1,))
    found = xp.searchsorted(line, levels, side="right")
    up_to = integers(xp.reshape(found, (-1, 256)), xp) - integers(before, xp) * pixels
    below = xp.concatenate([xp.zeros_like(up_to[:, :1]), up_to[:, :-1]], axis=1)
    # All pixels but those of the highest level make 255 steps.
    highest = xp.sum(integers(rows == ordered[:, -1:], xp), axis=1, keepdims=True)
    step = (pixels - highest) // 255
    safe = xp.maximum(step, 1)
    table = xp.minimum((safe // 2 + below) // safe, 255)
    mapped = xp.take_along_axis(table, integers(rows, xp), axis=1)
    mapped = xp.where(step > 0, floats(mapped, xp), rows)
    mapped = xp.reshape(mapped, (-1, channels, height, width))
    return xp.transpose(mapped, (0, 2, 3, 1))


def enhanced(name: str, images, factor, xp=np):
    """Images between a poorer one (factor 0) and themselves (1), or beyond.

    Args:
        name: String, a key of `POORER`.
        images: Array `(B, H, W, C)`.
        factor: Array `(B,)`, not negative.
        xp: Array namespace. Defaults to `numpy`.
    """
    return blend(POORER[name](images, xp), images, factor, xp)


def mean_grey(images, xp=np):
    """The mean luminance of each image, everywhere in it.

    Args:
        images: Array `(B, H, W, C)`.
        xp: Array namespace. Defaults to `numpy`.
    """
    mean = xp.mean(grey(images, xp), axis=(1, 2, 3), keepdims=True)
    return xp.floor(mean + 0.5) + xp.zeros_like(images)


def smooth(images, xp=np):
    """Images blurred by Pillow's filter, except for their border.

    Args:
        images: Array `(B, H, W, C)`. Those of fewer than 3 rows or columns are
            all border, as in Pillow.
        xp: Array namespace. Defaults to `numpy`.
    """
    if min(images.shape[1:3]) < 3:
        return images
    around = images[:, :-2] + images[:, 1:-1] + images[:, 2:]
    around = around[:, :, :-2] + around[:, :, 1:-1] + around[:, :, 2:]
    # The filter counts the centre 5 times of 13.
    inner = xp.floor((around + 4.0 * images[:, 1:-1, 1:-1]) / 13.0 + 0.5)
    rows = xp.concatenate([images[:, 1:-1, :1], inner, images[:, 1:-1, -1:]], axis=2)
    return xp.concatenate([images[:, :1], rows, images[:, -1:]], axis=1)


def blend(first, second, factor, xp=np):
    """`first + factor * (second - first)`, cut to whole numbers from 0 to 255.

    Args:
        first: Array or number, what a factor of 0 gives.
        second: Array `(B, H, W, C)`, what a factor of 1 gives.
        factor: Array `(B,)`.
        xp: Array namespace. Defaults to `numpy`.
    """
    mixed = first + per_image(factor, xp) * (second - first)
    return xp.floor(xp.clip(mixed, 0.0, 255.0))


def grey(images, xp=np):
    """Pillow's luminance of red, green and blue, in each channel.

    Args:
        images: Array `(B, H, W, 3)`; of other channels as they are.
        xp: Array namespace. Defaults to `numpy`.
    """
    if images.shape[-1] != 3:
        return images
    red, green, blue = (
        images[..., i : i + 1] * weight for i, weight in enumerate(GREY)
    )
    luminance = xp.floor((red + green + blue + 32768.0) / 65536.0)
    return luminance + xp.zeros_like(images)


POORER = {
    "colour": grey,
    "contrast": mean_grey,
    "brightness": lambda images, xp: xp.zeros_like(images),
    "sharpness": smooth,
}
