from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit._types import Size
from keras_mixvit.masks._mask_sampler import MaskSampler

SHARES = (0.2, 0.8)
WIDTHS = (4.0, 16.0)
REACH = 48


@dataclass(frozen=True)
class CowMasks(MaskSampler):
    """CowMask: the low positions of smoothed Gaussian noise.

    As in the published code each sample draws a share p ~ U(0.2, 0.8) and a
    width sigma, log-uniform in 4 to 16 positions. Noise is smoothed by a Gaussian
    of that width, cut at 48 positions, with zeros outside; the region is where it
    lies below its mean plus its deviation times the p-quantile of the normal
    distribution. There is no Beta distribution, and there are only two inputs.
    Which input gets the region is drawn once per batch.

    Args:
        patch_size: Integer, the side in pixels of one position of the
            mixing grid. Defaults to `1`.

    Raises:
        ValueError: If `patch_size` is not a positive integer, or the grid has a
            single position.

    Example:

    ```python
    masks = CowMasks().draw(np.random.default_rng(0), 8, (32, 32))
    assert masks.shape == (8, 2, 32, 32)
    ```

    References:
        MixMo, Table 2 and Section 6.7; French et al., Milking CowMask, 2020.
    """

    patch_size: int = 1

    def __post_init__(self):
        require_positive_integer("patch_size", self.patch_size)

    @property
    def num_subnetworks(self) -> int:  # type: ignore[override]
        """Two: the rule has no form for more inputs."""
        return 2

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        shares = rng.uniform(*SHARES, batch_size)
        low, high = np.log(WIDTHS)
        sigmas = np.exp(rng.uniform(low, high, batch_size))
        height, width = self.grid_shape(image_size)
        require(
            height * width > 1,
            "`image_size` must give a grid of more than one position.",
            grid_shape=(height, width),
        )
        noise = rng.standard_normal((batch_size, height, width))
        smooth = _smoothing(height, sigmas) @ noise @ _smoothing(width, sigmas)
        quantiles = np.array([NormalDist().inv_cdf(share) for share in shares])
        deviations = smooth.std(axis=(1, 2), ddof=1)
        limits = smooth.mean(axis=(1, 2)) + quantiles * deviations
        region = smooth <= limits[:, None, None]
        masks = np.stack([region, ~region], axis=1).astype("float32")
        return masks[:, rng.permutation(2)]


def _smoothing(length, sigmas):
    """Matrices `(B, length, length)` of a Gaussian filter along one axis."""
    distances = np.abs(np.subtract.outer(np.arange(length), np.arange(length)))
    weights = np.exp(-0.5 * (distances / sigmas[:, None, None]) ** 2)
    return np.where(distances <= REACH, weights, 0.0)
