from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require, require_choice
from keras_mixvit.masks.box import box_coverage
from keras_mixvit.masks.mask_sampler import require_alpha


@dataclass(frozen=True)
class PixelMixing:
    """CutMix or MixUp of the pixels of each input, besides all other mixing.

    Each input of each sample is mixed, with a probability, with an image drawn
    from the whole data set; lambda ~ Beta(alpha, alpha) and, for CutMix, the
    box are its own. Its label becomes the mean of the two labels in proportion
    to what the masks of MixMo leave visible, lambda'. Where there are several
    inputs, the two images change places if lambda' is below a half, so that
    the input's own image stays predominant; a single network does not, there
    an image is in the box, which is clipped and smaller in most draws.

    The paper does not mention the probability, which is that of the published
    code, for single networks too.

    Args:
        kind: `"cutmix"` or `"mixup"`. Defaults to `"cutmix"`.
        probability: Float in [0, 1], the share of inputs that are mixed.
            Defaults to `0.5`.
        alpha: Positive float, the parameter of the Beta distribution. Defaults
            to `1.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    x, y = np.zeros((64, 8, 8, 1), "float32"), np.arange(64) % 10
    pairs = mixed_pair_dataset(
        x,
        y,
        CutMixMasks(),
        epochs=1,
        batch_size=16,
        num_classes=10,
        pixel_mixing=PixelMixing(),
    )
    assert pairs[0][1].shape == (16, 2, 10)
    ```

    References:
        MixMo, Sections 3.5 and 6.4; CutMix; MixUp.
    """

    kind: str = "cutmix"
    probability: float = 0.5
    alpha: float = 1.0

    def __post_init__(self):
        require_choice("kind", self.kind, ("cutmix", "mixup"))
        require(
            0 <= self.probability <= 1,
            "`probability` must be in [0, 1].",
            probability=self.probability,
        )
        require_alpha(self.alpha)

    def draw(self, rng, shape, image_size, masks):
        """Draws which inputs are mixed, where, and how much of them is visible.

        Args:
            rng: The only source of chance.
            shape: Tuple of integers (B, M).
            image_size: Tuple of integers (H, W).
            masks: Array `(B, M, h, w)`, the masks that will mix the inputs.

        Returns:
            Array `(B, M, H, W)`, or `(B, M, 1, 1)` for MixUp, the share of an
            input's own image in each pixel, 1 where it is not mixed; and array
            `(B, M)`, the share of its own label.
        """
        is_mixed = rng.random(shape) < self.probability
        ratios = rng.beta(self.alpha, self.alpha, shape)
        if self.kind == "mixup":
            pixels = ratios[:, :, None, None]
        else:
            centers = [rng.integers(side, size=ratios.size) for side in image_size]
            box = box_coverage(ratios.ravel(), centers, image_size, 1)
            pixels = box.reshape(*shape, *image_size)
        visible = visible_share(pixels, masks)
        if shape[1] > 1:
            swapped = visible < 0.5
            visible = np.where(swapped, 1 - visible, visible)
            pixels = np.where(swapped[..., None, None], 1 - pixels, pixels)
        pixels = np.where(is_mixed[..., None, None], pixels, 1.0)
        return pixels.astype("float32"), np.where(is_mixed, visible, 1.0)


def visible_share(pixels, masks):
    """Share of an image in what masks leave visible of it and its partner.

    The mask in pixels is averaged over each place of the mixing grid. Where
    nothing is visible, the loss has no weight; the share is then that of all.

    Args:
        pixels: Array `(B, M, H, W)` or `(B, M, 1, 1)`, the share of the image.
        masks: Array `(B, M, h, w)`.

    Returns:
        Array `(B, M)`.

    References:
        MixMo, Section 6.4 (lambda').
    """
    if pixels.shape[2] > 1:
        batch, members, height, width = masks.shape
        rows, columns = pixels.shape[2] // height, pixels.shape[3] // width
        pixels = pixels.reshape(batch, members, height, rows, width, columns)
        pixels = pixels.mean(axis=(3, 5))
    total = masks.sum(axis=(2, 3), dtype="float64")
    visible = (pixels * masks).sum(axis=(2, 3), dtype="float64")
    everywhere = pixels.mean(axis=(2, 3))
    return np.where(total > 0, visible / np.where(total > 0, total, 1), everywhere)
