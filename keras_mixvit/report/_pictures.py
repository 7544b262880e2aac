"""Images of a report, as PNG files inside the page."""

import base64
import io
import math
from typing import Any

import numpy as np

from keras_mixvit._protocols import HasBackbone
from keras_mixvit.analysis._style import MAP
from keras_mixvit.analysis._subnetwork_attention import relative_attention
from keras_mixvit.models._attention_maps import last_block, num_prefix_tokens

# All pictures together, before base64 adds a third.
BUDGET = 2_200_000
# Bytes of a pixel in the worst case, noise.
PER_PIXEL = 3.1
SMALLEST, LARGEST = 16, 112
# Bytes below it may be of another scale: the digits end at 16.
DARK = 64
# How much of the map covers an image, as in `subnetwork_attention`.
COVER = 0.6


def side_for(count: int) -> int:
    """The longest side of a picture in pixels, so that all fit into a page.

    Args:
        count: Integer, the number of pictures.
    """
    side = math.isqrt(int(BUDGET / PER_PIXEL / max(count, 1)))
    return min(max(side, SMALLEST), LARGEST)


def displayed(images: np.ndarray) -> np.ndarray:
    """Images `(n, H, W, C)` as bytes `(n, H, W, 3)`.

    Bytes stay as they are, unless all are dark. Other values are scaled so that the
    least is black, if it is below zero, and the greatest white.

    Args:
        images: Array.
    """
    images = np.asarray(images)
    if images.dtype != np.uint8 or images.max(initial=0) < DARK:
        values = np.nan_to_num(images.astype("float64"))
        low, high = min(0.0, values.min(initial=0)), values.max(initial=0)
        values = 255 * (values - low) / ((high - low) or 1.0)
        images = values.round().astype("uint8")
    if images.shape[-1] >= 3:
        return images[..., :3]
    return np.repeat(images[..., :1], 3, axis=-1)


def overlaid(image: np.ndarray, weights: np.ndarray, top: float) -> np.ndarray:
    """A grey image under a map of attention, bytes `(H, W, 3)`.

    Args:
        image: Array `(H, W, 3)` of bytes.
        weights: Array `(h, w)`.
        top: Float, the weight of the brightest colour.
    """
    import matplotlib

    height, width = image.shape[:2]
    rows = np.arange(height) * weights.shape[0] // height
    columns = np.arange(width) * weights.shape[1] // width
    shares = weights[rows][:, columns] / max(top, 1e-12)
    colours = matplotlib.colormaps[MAP](shares)[..., :3]
    grey = image.mean(axis=-1, keepdims=True) / 255
    mixed = (1 - COVER) * grey + COVER * colours
    return (255 * mixed).round().astype("uint8")


def png_uri(pixels: np.ndarray, side: int) -> str:
    """Bytes `(H, W, 3)` as the address of a PNG picture that is part of the page.

    Args:
        pixels: Array.
        side: Integer, to which the longest side is reduced if it is longer.
    """
    from PIL import Image

    image = Image.fromarray(np.ascontiguousarray(pixels))
    longest = max(image.size)
    if longest > side:
        width, height = (max(1, round(n * side / longest)) for n in image.size)
        image = image.resize((width, height), Image.Resampling.BOX)
    return _uri(image)


def file_uri(source: Any, most: int) -> str:
    """A picture from a file or a stream, made smaller until it has `most` bytes.

    Args:
        source: Path, or binary stream.
        most: Integer.
    """
    from PIL import Image

    with Image.open(source) as opened:
        image = opened.convert("RGB")
    while True:
        uri = _uri(image)
        size = len(uri) * 3 / 4
        if size <= most or max(image.size) <= SMALLEST:
            return uri
        factor = max(0.5, min(0.95, math.sqrt(most / size)))
        width, height = (max(1, int(n * factor)) for n in image.size)
        image = image.resize((width, height), Image.Resampling.LANCZOS)


def attention_of(model: Any, images: np.ndarray) -> np.ndarray | None:
    """Attention of the last block over uniform attention, `(n, S, h, w)`.

    Args:
        model: Model of this library.
        images: Array `(n, H, W, C)`.

    Returns:
        An array, or `None` if the model is no transformer.
    """
    last = last_block(model) if isinstance(model, HasBackbone) else None
    if last is None:
        return None
    # The maps of all blocks of many images may not fit into the memory.
    maps = model.attention_maps(images, blocks=[last])[last]
    shape, prefix = model.backbone.grid_shape, num_prefix_tokens(model)
    try:
        return relative_attention(maps, len(images), shape, prefix)
    except ValueError:
        # Such as the attention of one image to M grids.
        return None


def _uri(image):
    stream = io.BytesIO()
    image.save(stream, "png", optimize=True)
    data = base64.b64encode(stream.getvalue()).decode("ascii")
    return f"data:image/png;base64,{data}"
