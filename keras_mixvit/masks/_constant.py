from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._types import Size
from keras_mixvit.masks._mask_sampler import MaskSampler


@dataclass(frozen=True)
class ConstantMasks(MaskSampler):
    """Masks of 1/M everywhere: every input has the same share.

    MixViT on all tokens uses them, because no input hides another, and so does
    the single network, with one subnetwork.

    Args:
        patch_size: Integer, the side of a patch in pixels.
        num_subnetworks: Integer, the number M of subnetworks. Defaults to `2`.

    Raises:
        ValueError: If an argument is not a positive integer.

    Example:

    ```python
    rng = np.random.default_rng(0)
    masks = ConstantMasks(patch_size=4).draw(rng, 8, (32, 32))
    assert masks.shape == (8, 2, 8, 8) and masks.min() == masks.max() == 0.5
    ```

    References:
        MixViT, Appendix D.3 (all tokens).
    """

    patch_size: int
    num_subnetworks: int = 2

    def __post_init__(self):
        require_positive_integer("patch_size", self.patch_size)
        require_positive_integer("num_subnetworks", self.num_subnetworks)

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        shape = (batch_size, self.num_subnetworks, *self.grid_shape(image_size))
        return np.full(shape, 1 / self.num_subnetworks, "float32")
