import abc

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import is_number, require
from keras_mixvit._types import Size


class MaskSampler(abc.ABC):
    """Base of all samplers of mixing masks, for `mixed_pair_dataset`.

    A sampler has the attributes `num_subnetworks` and `patch_size`, the side
    in pixels of one position of the mixing grid, and implements `draw`.
    """

    num_subnetworks: int
    patch_size: int

    @abc.abstractmethod
    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        """Draws the masks of one batch.

        Args:
            rng: The only source of chance.
            batch_size: Integer B.
            image_size: Tuple of integers (H, W).
            progress: Float in [0, 1], the epoch e = 1..E over E, on which
                schedules depend. Defaults to `0.0`.

        Returns:
            float32 array `(B, M, h, w)` that sums to 1 over M.
        """

    def grid_shape(self, image_size: Size) -> Size:
        """Shape (h, w) of the mixing grid of an image of (H, W) pixels."""
        height, width = image_size
        return height // self.patch_size, width // self.patch_size


def require_masks(masks, shape: tuple[int, ...]) -> None:
    """Checks that masks have a shape, are in [0, 1] and sum to 1 over M."""
    require(
        tuple(masks.shape) == tuple(shape),
        f"`masks` must have shape {tuple(shape)}.",
        shape=tuple(masks.shape),
    )
    # If a mask is NaN, both are NaN and fail every comparison.
    low, high = float(np.min(masks)), float(np.max(masks))
    require(low >= 0 and high <= 1, "`masks` must be in [0, 1].", range=(low, high))
    sums = masks.sum(axis=1)
    worst = float(sums.flat[np.argmax(np.abs(sums - 1))])
    require(
        abs(worst - 1) < 1e-3,
        "`masks` must sum to 1 over the subnetworks.",
        sum=worst,
    )


def require_alpha(alpha, name: str = "alpha") -> None:
    """Requires a parameter of a symmetric Beta distribution."""
    require(
        is_number(alpha) and 0 < alpha < float("inf"),
        f"`{name}` must be a positive finite number.",
        **{name: alpha},
    )
