"""Image files for tests."""

import numpy as np
from PIL import Image


def save_image(path, pixels, mode=None):
    """Writes uint8 pixels, or one value as 4 x 4 RGB pixels, as the name says."""
    if np.ndim(pixels) == 0:
        pixels = np.full((4, 4, 3), pixels, "uint8")
    image = Image.fromarray(pixels)
    path.parent.mkdir(parents=True, exist_ok=True)
    (image if mode is None else image.convert(mode)).save(path)


def truncate(path):
    """Cuts a file off behind its header."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) * 3 // 4])


def noise(*shape, seed=0):
    """Random pixels."""
    return np.random.default_rng(seed).integers(0, 256, shape, "uint8")
