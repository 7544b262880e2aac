from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require
from keras_mixvit._types import Size
from keras_mixvit.masks._binary import BinaryMasks

BLOCK = 7


@dataclass(frozen=True)
class PatchUpMasks(BinaryMasks):
    """Masks of PatchUp, "hard" and in 2D: the union of squares of 7 x 7.

    Every position is the centre of a square with the probability
    `ratio * h * w / (7² (h - 6) (w - 6))`, as in DropBlock. Squares overlap
    and are clipped: a ratio of 0.5 gives a region of 0.49 on a grid of 32.

    Args:
        patch_size: Integer, pixels per position of the grid. Defaults to `1`.
        num_subnetworks: Integer, the number M >= 2 of subnetworks. Defaults to `2`.
        alpha: Positive float, the concentration of the ratios. Defaults to `2.0`.
        mixing: `"dirichlet"` or `"two"`, see `BinaryMasks`. Defaults to `"dirichlet"`.

    Raises:
        ValueError: If an argument is out of its range, or the grid has fewer
            than 7 rows or columns.

    Example:

    ```python
    masks = PatchUpMasks().draw(np.random.default_rng(0), 8, (32, 32))
    assert masks.shape == (8, 2, 32, 32)
    ```

    References:
        MixMo, Table 2 and Section 6.7; PatchUp (Faramarzi et al., 2020).
    """

    def draw_region(
        self, rng: Generator, ratios: np.ndarray, grid_shape: Size
    ) -> np.ndarray:
        height, width = grid_shape
        require(
            min(grid_shape) >= BLOCK,
            f"`image_size` must give a grid of at least {BLOCK} x {BLOCK}.",
            grid_shape=tuple(grid_shape),
        )
        inner = (height - BLOCK + 1) * (width - BLOCK + 1)
        rates = ratios * height * width / (BLOCK**2 * inner)
        seeds = rng.random((len(ratios), height, width)) < rates[:, None, None]
        # A square is dilated along one axis after the other.
        return _dilated(_dilated(seeds, 1), 2)


def _dilated(seeds, axis):
    """Whether a seed is within 3 positions along an axis, by counting."""
    reach = BLOCK // 2
    padding = [(0, 0)] * seeds.ndim
    padding[axis] = (reach + 1, reach)
    counts = np.cumsum(np.pad(seeds, padding), axis=axis, dtype="int32")
    length = seeds.shape[axis]
    after = np.take(counts, np.arange(BLOCK, BLOCK + length), axis=axis)
    return after > np.take(counts, np.arange(length), axis=axis)
