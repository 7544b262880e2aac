from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._types import Size
from keras_mixvit.masks._binary import BinaryMasks
from keras_mixvit.masks._box import box_coverage


@dataclass(frozen=True)
class CutMixMasks(BinaryMasks):
    """Masks of Cut-MixMo: a box on the mixing grid for one input.

    A box of ratio r has the even sides `2 * (int(S * sqrt(r)) // 2)` around a
    centre drawn uniformly and is clipped at the border, as in the published
    code: with alpha 2 it covers 0.307 of the grid on average.

    Args:
        patch_size: Integer, pixels per position of the grid. Defaults to `1`.
        num_subnetworks: Integer, the number M >= 2 of subnetworks. Defaults to `2`.
        alpha: Positive float, the concentration of the ratios. Defaults to `2.0`.
        mixing: `"dirichlet"` or `"two"`, see `BinaryMasks`. Defaults to `"dirichlet"`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    masks = CutMixMasks().draw(np.random.default_rng(0), 8, (32, 32))
    assert masks.shape == (8, 2, 32, 32)
    ```

    References:
        MixMo, Section 3.3 and Algorithm 1; CutMix, Section 3.
    """

    def draw_region(
        self, rng: Generator, ratios: np.ndarray, grid_shape: Size
    ) -> np.ndarray:
        centers = [rng.integers(side, size=len(ratios)) for side in grid_shape]
        return box_coverage(ratios, centers, grid_shape, 1) > 0
