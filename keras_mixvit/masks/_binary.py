import abc
from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require_choice, require_positive_integer
from keras_mixvit._types import Size
from keras_mixvit.masks._mask_sampler import MaskSampler, require_alpha


@dataclass(frozen=True)
class BinaryMasks(MaskSampler):
    """Base of binary masks: a region for one input, the rest for the others.

    Each sample draws ratios from a symmetric Dirichlet distribution and, by
    `draw_region`, a region for the first ratio. The real share of the region
    differs from the ratio, by the rule of the family. With more than two inputs,
    the others share the rest of the grid linearly, by their ratios
    (`mixing="dirichlet"`), or two inputs drawn at random are mixed
    (`mixing="two"`). Which input gets the region is drawn once per batch, so
    that every input has the share 1/M on average.

    Args:
        patch_size: Integer, the side in pixels of one position of the
            mixing grid. Defaults to `1`.
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        alpha: Positive float, the concentration of the ratios. Defaults to
            `2.0`.
        mixing: `"dirichlet"` (MixMo, Eq. 7) or `"two"` (MixViT, Appendix B).
            Defaults to `"dirichlet"`.

    Raises:
        ValueError: If an argument is out of its range.

    References:
        MixMo, Algorithm 1, Sections 3.3, 6.3 and 6.7.
    """

    patch_size: int = 1
    num_subnetworks: int = 2
    alpha: float = 2.0
    mixing: str = "dirichlet"

    def __post_init__(self):
        require_positive_integer("patch_size", self.patch_size)
        require_positive_integer("num_subnetworks", self.num_subnetworks, minimum=2)
        require_alpha(self.alpha)
        require_choice("mixing", self.mixing, ("dirichlet", "two"))

    @abc.abstractmethod
    def draw_region(
        self, rng: Generator, ratios: np.ndarray, grid_shape: Size
    ) -> np.ndarray:
        """Draws one region per sample.

        Args:
            rng: The only source of chance.
            ratios: Array `(B,)`, the ratio that each region is drawn for.
            grid_shape: Tuple of integers (h, w).

        Returns:
            Boolean array `(B, h, w)`.
        """

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        subnetworks, alpha = self.num_subnetworks, self.alpha
        others = subnetworks - 1 if self.mixing == "dirichlet" else 1
        # The first ratio of a Dirichlet distribution does not depend on how the
        # others share the rest. With ratio 1 nothing is left.
        ratios = rng.dirichlet([alpha, others * alpha], batch_size)[:, 0]
        region = self.draw_region(rng, ratios, self.grid_shape(image_size))
        rest = (~region).astype("float32")
        masks = np.zeros((batch_size, subnetworks, *region.shape[1:]), "float32")
        roles = rng.permutation(subnetworks)
        masks[:, roles[0]] = region
        if others == 1:
            masks[:, roles[1]] = rest
        else:
            shares = rng.dirichlet([alpha] * others, batch_size).astype("float32")
            for share, role in zip(shares.T, roles[1:], strict=True):
                np.multiply(rest, share[:, None, None], out=masks[:, role])
        return masks
