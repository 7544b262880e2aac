from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require_choice
from keras_mixvit._types import Size
from keras_mixvit.masks._binary import BinaryMasks


@dataclass(frozen=True)
class ConcatenationMasks(BinaryMasks):
    """Masks of two parts: left and right of a line, or above and below it.

    The line is at `int(ratio * S)`, and a fair coin per sample says on which
    side the region is. As in the paper, horizontal concatenation has a
    vertical line; the names in the published code are the other way round.

    Args:
        patch_size: Integer, pixels per position of the grid. Defaults to `1`.
        num_subnetworks: Integer, the number M >= 2 of subnetworks. Defaults to `2`.
        alpha: Positive float, the concentration of the ratios. Defaults to `2.0`.
        mixing: `"dirichlet"` or `"two"`, see `BinaryMasks`. Defaults to `"dirichlet"`.
        direction: `"horizontal"`, left and right, or `"vertical"`, above and
            below. Defaults to `"horizontal"`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    sampler = ConcatenationMasks(direction="vertical")
    masks = sampler.draw(np.random.default_rng(0), 8, (32, 32))
    assert (masks == masks[..., :1]).all()
    ```

    References:
        MixMo, Table 2 and Section 6.7.
    """

    direction: str = "horizontal"

    def __post_init__(self):
        super().__post_init__()
        require_choice("direction", self.direction, ("horizontal", "vertical"))

    def draw_region(
        self, rng: Generator, ratios: np.ndarray, grid_shape: Size
    ) -> np.ndarray:
        length = grid_shape[1 if self.direction == "horizontal" else 0]
        before = np.arange(length) < np.floor(ratios * length)[:, None]
        before ^= rng.integers(2, size=(len(ratios), 1)).astype(bool)
        line = before[:, None] if self.direction == "horizontal" else before[..., None]
        return np.broadcast_to(line, (len(ratios), *grid_shape))
