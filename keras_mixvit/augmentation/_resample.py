"""Bicubic resizing of boxes of images, as Pillow computes it on bytes."""

import numpy as np

# Pillow's parameter of Keys' cubic convolution.
A = -0.5


def resized(images, boxes, size, xp=np):
    """Boxes of images, resized as if they had been cut out before.

    If a box is larger than the result, the kernel widens so that every pixel
    counts (antialiasing).

    Args:
        images: Array `(B, H, W, C)` in 0 to 255, float32.
        boxes: Array `(B, 4)` of whole numbers: top, left, height, width.
        size: Tuple of integers (H', W').
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        float32 array `(B, H', W', C)` of whole numbers from 0 to 255.
    """
    _, height, width, channels = images.shape
    top, left, box_height, box_width = (boxes[:, i] for i in range(4))
    columns = weights(left, box_width, width, size[1], xp)
    lines = xp.transpose(images, (0, 1, 3, 2))
    lines = xp.reshape(lines, (-1, height * channels, width))
    lines = _bytes(xp.matmul(lines, xp.transpose(columns, (0, 2, 1))), xp)
    lines = xp.reshape(lines, (-1, height, channels * size[1]))
    rows = weights(top, box_height, height, size[0], xp)
    result = _bytes(xp.matmul(rows, lines), xp)
    result = xp.reshape(result, (-1, size[0], channels, size[1]))
    return xp.transpose(result, (0, 1, 3, 2))


def weights(start, length, side, new_side, xp=np):
    """Weight of each pixel of a line in each pixel of the resized part.

    Args:
        start: Array `(B,)`, the first pixel of the part.
        length: Array `(B,)`, the pixels of the part.
        side: Integer, the pixels of the line.
        new_side: Integer, the pixels of the resized part.
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        float32 array `(B, new_side, side)` that sums to 1 over the last axis.
    """
    start, length = start[:, None, None], length[:, None, None]
    scale = length / new_side
    width = xp.maximum(scale, 1.0)
    center = (xp.arange(new_side, dtype="float32")[None, :, None] + 0.5) * scale
    pixels = xp.arange(side, dtype="float32")[None, None, :] - start
    # Pillow takes whole pixels around the centre, cut at the border.
    low = xp.floor(xp.maximum(center - 2 * width + 0.5, 0.0))
    high = xp.floor(xp.minimum(center + 2 * width + 0.5, length))
    values = cubic((pixels - center + 0.5) / width, xp)
    values = xp.where((pixels >= low) & (pixels < high), values, 0.0)
    return values / xp.sum(values, axis=-1, keepdims=True)


def cubic(x, xp=np):
    """Keys' cubic kernel."""
    x = xp.abs(x)
    near = ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * A
    return xp.where(x < 1.0, near, xp.where(x < 2.0, far, 0.0))


def _bytes(values, xp):
    return xp.clip(xp.floor(values + 0.5), 0.0, 255.0)
