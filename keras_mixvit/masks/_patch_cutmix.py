from dataclasses import dataclass

import numpy as np
from numpy.random import Generator

from keras_mixvit._checks import require_choice, require_positive_integer
from keras_mixvit._types import Size
from keras_mixvit.masks._box import box_coverage, patch_majority
from keras_mixvit.masks._mask_sampler import MaskSampler, require_alpha


@dataclass(frozen=True)
class PatchCutMix(MaskSampler):
    """MixViT's masks: a CutMix box in pixels, decided patch by patch.

    Each sample draws lambda ~ Beta(alpha, alpha) and a centre. A patch goes
    to the owner of the box if the box covers more than half of it; one fair
    coin per sample decides the patches that are covered by half. With more
    than two subnetworks, two drawn at random are mixed (Appendix B). The box
    is clipped and in most draws smaller than half the image, so its owner is
    drawn fairly: every subnetwork sees 1/M of all positions on average.

    Over the last twelfth of training a growing share of samples,
    `clip(12 progress - 11, 0, 1)`, shows a single source, as at inference.
    The paper does not say whether that is decided per batch or per sample:
    here per sample.

    Args:
        patch_size: Integer, the side of a patch in pixels.
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        alpha: Positive float, the parameter of the Beta distribution. Defaults
            to `0.5`.
        binarize: Boolean; `False` gives the mean of the box over a patch
            instead of the majority. Defaults to `True`.
        owner_per: `"batch"`, as in MixMo's Algorithm 1, or `"sample"`: how often
            the owners of the box and of the rest are drawn. Defaults to
            `"batch"`.
        single_source_ramp: Boolean, whether the share of single-source masks
            grows over the last twelfth of training. Defaults to `True`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    rng = np.random.default_rng(0)
    masks = PatchCutMix(patch_size=4).draw(rng, 8, (32, 32))
    assert masks.shape == (8, 2, 8, 8)
    ```

    References:
        MixViT, Section 2.1 and Appendices B and H; MixMo, Algorithm 1.
    """

    patch_size: int
    num_subnetworks: int = 2
    alpha: float = 0.5
    binarize: bool = True
    owner_per: str = "batch"
    single_source_ramp: bool = True

    def __post_init__(self):
        require_positive_integer("patch_size", self.patch_size)
        require_positive_integer("num_subnetworks", self.num_subnetworks, minimum=2)
        require_alpha(self.alpha)
        require_choice("owner_per", self.owner_per, ("batch", "sample"))

    def draw(
        self, rng: Generator, batch_size: int, image_size: Size, progress: float = 0.0
    ) -> np.ndarray:
        ratios = rng.beta(self.alpha, self.alpha, batch_size)
        centers = [rng.integers(side, size=batch_size) for side in image_size]
        coverage = box_coverage(ratios, centers, image_size, self.patch_size)
        tie_coins = rng.integers(2, size=batch_size).astype("float32")
        if self.binarize:
            box = patch_majority(coverage, tie_coins, self.patch_size)
        else:
            box = coverage / self.patch_size**2
        if self.single_source_ramp:
            share = np.clip(12 * progress - 11, 0, 1)
            box[rng.random(batch_size) < share] = 1.0
        draws = batch_size if self.owner_per == "sample" else 1
        roles = rng.permuted(
            np.tile(np.arange(self.num_subnetworks), (draws, 1)), axis=1
        )
        chosen = np.eye(self.num_subnetworks, dtype="float32")[roles[:, :2]]
        owner, other = chosen[:, 0, :, None, None], chosen[:, 1, :, None, None]
        box = box[:, None].astype("float32")
        return owner * box + other * (1 - box)
