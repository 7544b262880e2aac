"""Crops of a photograph that comes with matplotlib."""

import numpy as np


def pictures(count=24, side=32, seed=0):
    """uint8 crops `(count, side, side, 3)` of a real photograph."""
    from matplotlib import cbook
    from PIL import Image

    with cbook.get_sample_data("grace_hopper.jpg") as file:
        photograph = np.asarray(Image.open(file).convert("RGB"))
    rng = np.random.default_rng(seed)
    rows = rng.integers(photograph.shape[0] - side, size=count)
    columns = rng.integers(photograph.shape[1] - side, size=count)
    return np.stack(
        [
            photograph[row : row + side, column : column + side]
            for row, column in zip(rows, columns, strict=True)
        ]
    )
