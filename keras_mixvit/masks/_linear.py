from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._types import Size
from keras_mixvit.masks._mask_sampler import MaskSampler, require_alpha


@dataclass(frozen=True)
class LinearMasks(MaskSampler):
    """Constant masks of drawn shares: linear interpolation, as in MixUp.

    Each sample draws the shares of its M inputs from a symmetric Dirichlet
    distribution, with two inputs Beta(alpha, alpha).

    Args:
        patch_size: Integer, the side in pixels of one position of the
            mixing grid. Defaults to `1`.
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        alpha: Positive float, the concentration of the distribution. Defaults
            to `2.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    masks = LinearMasks().draw(np.random.default_rng(0), 8, (32, 32))
    assert masks.shape == (8, 2, 32, 32) and masks[0, 0].min() == masks[0, 0].max()
    ```

    References:
        MixMo, Section 3.2 and Eq. 6.
    """

    patch_size: int = 1
    num_subnetworks: int = 2
    alpha: float = 2.0

    def __post_init__(self):
        require_positive_integer("patch_size", self.patch_size)
        require_positive_integer("num_subnetworks", self.num_subnetworks, minimum=2)
        require_alpha(self.alpha)

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        shares = rng.dirichlet([self.alpha] * self.num_subnetworks, batch_size)
        shape = (batch_size, self.num_subnetworks, *self.grid_shape(image_size))
        masks = np.empty(shape, "float32")
        masks[:] = shares[:, :, None, None]
        return masks
