from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import is_number, require
from keras_mixvit._types import Size
from keras_mixvit.masks._binary import BinaryMasks


@dataclass(frozen=True)
class FMixMasks(BinaryMasks):
    """Masks of FMix: the highest positions of low-pass filtered noise.

    The frequencies of Gaussian noise are divided by their size to the power of
    `decay`; the region is the `round(ratio * h * w)` highest positions of the
    result. The noise is real, so no direction is preferred.

    Args:
        patch_size: Integer, pixels per position of the grid. Defaults to `1`.
        num_subnetworks: Integer, the number M >= 2 of subnetworks. Defaults to `2`.
        alpha: Positive float, the concentration of the ratios. Defaults to `2.0`.
        mixing: `"dirichlet"` or `"two"`, see `BinaryMasks`. Defaults to `"dirichlet"`.
        decay: Positive float, how fast high frequencies fall off. Defaults to
            `3.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    masks = FMixMasks().draw(np.random.default_rng(0), 8, (32, 32))
    assert set(np.unique(masks)) == {0.0, 1.0}
    ```

    References:
        MixMo, Table 2 and Section 6.7; FMix (Harris et al., 2020).
    """

    decay: float = 3.0

    def __post_init__(self):
        super().__post_init__()
        require(
            is_number(self.decay) and 0 < self.decay < float("inf"),
            "`decay` must be a positive finite number.",
            decay=self.decay,
        )

    def draw_region(
        self, rng: Generator, ratios: np.ndarray, grid_shape: Size
    ) -> np.ndarray:
        height, width = grid_shape
        rows, columns = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
        frequency = np.hypot(rows, columns)
        # The mean of the noise has the frequency 0: it takes the lowest other one.
        lowest = 1 / max(grid_shape)
        gains = (np.maximum(frequency, lowest) / lowest) ** -self.decay
        noise = rng.standard_normal((len(ratios), height, width))
        heights = np.fft.irfft2(gains * np.fft.rfft2(noise), s=grid_shape)
        heights = heights.reshape(len(ratios), -1)
        count = np.round(ratios * height * width).astype(int)
        # Sorted from the lowest, with a position above the highest for a count of 0.
        levels = np.pad(
            np.sort(heights, axis=1), [(0, 0), (0, 1)], constant_values=np.inf
        )
        limits = levels[np.arange(len(levels)), height * width - count]
        return (heights >= limits[:, None]).reshape(-1, height, width)
