from dataclasses import dataclass
from typing import Any

import numpy as np

from keras_mixvit._checks import is_number, require, require_choice
from keras_mixvit.masks._box import box_edges, covered
from keras_mixvit.masks._mask_sampler import require_alpha

KINDS = ("cutmix", "mixup", "cutmix_and_mixup")


@dataclass(frozen=True)
class PixelMixing:
    """CutMix or MixUp of the pixels of each input, before all other mixing.

    Each input of each sample is mixed, with a probability, with another image.
    Each draws its own lambda ~ Beta(alpha, alpha) and, for CutMix, its own box.
    `"cutmix_and_mixup"` is both at once, as in the MixViT paper: the mask is
    `1 - v` in a CutMix box and `v` outside, `v ~ Beta(mixup_alpha, mixup_alpha)`.

    The label becomes the mean of the two labels in proportion to what the
    masks of MixMo or MixViT leave visible, lambda'; the MixViT paper does not
    say whether it did so. For CutMix and MixUp alone with several inputs, the
    two images are exchanged if lambda' is below a half, so that the input's own
    image stays predominant, as in the MixMo paper. A single network does not
    exchange them: the partner is in the box, which is clipped and in most draws
    the smaller part.

    The MixMo paper does not mention the probability. The default is that of the
    published code, also for single networks. The MixViT paper follows DeiT,
    which mixes always, and within the batch.

    Args:
        kind: `"cutmix"`, `"mixup"` or `"cutmix_and_mixup"`. Defaults to
            `"cutmix"`.
        probability: Float in [0, 1], the share of inputs that are mixed.
            Defaults to `0.5`.
        alpha: Positive float, the parameter of the Beta distribution of
            lambda. Defaults to `1.0`.
        mixup_alpha: Positive float, the parameter of the Beta distribution of
            v, of `"cutmix_and_mixup"` alone. Defaults to `0.8`.
        partners: `"dataset"`, an image drawn from the whole data set, or
            `"batch"`, an image of the same batch with its augmentation, which
            costs nothing. Defaults to `"dataset"`.
        visible_share: Boolean. `True` weighs labels by what stays visible,
            `False` by the mean of the mask over the image. Defaults to `True`.

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
        MixMo, Sections 3.5 and 6.4; MixViT, Appendix H; CutMix; MixUp.
    """

    kind: str = "cutmix"
    probability: float = 0.5
    alpha: float = 1.0
    mixup_alpha: float = 0.8
    partners: str = "dataset"
    visible_share: bool = True

    def __post_init__(self):
        require_choice("kind", self.kind, KINDS)
        require_choice("partners", self.partners, ("dataset", "batch"))
        require(
            is_number(self.probability) and 0 <= self.probability <= 1,
            "`probability` must be in [0, 1].",
            probability=self.probability,
        )
        require_alpha(self.alpha)
        require_alpha(self.mixup_alpha, "mixup_alpha")
        require(
            self.kind == "cutmix_and_mixup" or self.mixup_alpha == 0.8,
            "`mixup_alpha` must not be set without 'cutmix_and_mixup'.",
            mixup_alpha=self.mixup_alpha,
        )

    def draw(
        self,
        rng: np.random.Generator,
        shape: tuple[int, int],
        image_size: tuple[int, int],
        masks: np.ndarray,
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Draws which inputs are mixed, where, and what their labels are.

        Args:
            rng: The only source of chance.
            shape: Tuple of integers (B, M).
            image_size: Tuple of integers (H, W).
            masks: Array `(B, M, h, w)`, the masks that will mix the inputs.

        Returns:
            Dict of float32 arrays: `box` `(B, M, 4)`, top, bottom, left and
            right in pixels, and `shares` `(B, M, 2)`, the share of an input's
            own image inside and outside of the box, both 1 where it is not
            mixed; and array `(B, M)`, the share of its own label.
        """
        is_mixed = rng.random(shape) < self.probability
        ratios = rng.beta(self.alpha, self.alpha, shape)
        box = np.zeros((*shape, 4))
        if self.kind == "mixup":
            shares = np.stack([ratios, ratios], axis=-1)
        else:
            centers = [rng.integers(side, size=ratios.size) for side in image_size]
            edges = box_edges(ratios.ravel(), centers, image_size)
            box = np.stack(edges, axis=-1).reshape(box.shape)
            outside = np.zeros(shape)
            if self.kind == "cutmix_and_mixup":
                outside = rng.beta(self.mixup_alpha, self.mixup_alpha, shape)
            shares = np.stack([1 - outside, outside], axis=-1)
        seen = masks if self.visible_share else None
        own = own_share(box, shares, image_size, seen)
        if shape[1] > 1 and self.kind != "cutmix_and_mixup":
            swapped = own < 0.5
            own = np.where(swapped, 1 - own, own)
            shares = np.where(swapped[..., None], 1 - shares, shares)
        shares = np.where(is_mixed[..., None], shares, 1.0)
        draws = {"box": box.astype("float32"), "shares": shares.astype("float32")}
        return draws, np.where(is_mixed, own, 1.0)


def mixed_images(images, partners, mixing: dict, kind: str, xp: Any = np):
    """Images that are mixed with their partners.

    Args:
        images: Array `(n, H, W, C)`.
        partners: Array `(n, H, W, C)`.
        mixing: Dict of `box` `(n, 4)` and `shares` `(n, 2)`, as drawn.
        kind: The kind of a `PixelMixing`.
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        Array `(n, H, W, C)`, of the dtype of the images for `"cutmix"`, else
        floats.
    """
    pixels = pixel_shares(**mixing, image_size=images.shape[1:3], xp=xp)[..., None]
    if kind == "cutmix":
        return xp.where(pixels > 0.5, images, partners)
    return xp.multiply(pixels, images) + xp.multiply(1 - pixels, partners)


def pixel_shares(box, shares, image_size: tuple[int, int], xp: Any = np):
    """Share of an input's own image in each pixel.

    Args:
        box: Array `(..., 4)`: top, bottom, left and right in pixels.
        shares: Array `(..., 2)`: inside and outside of the box.
        image_size: Tuple of integers (H, W).
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        Array `(..., H, W)`.
    """
    edges = xp.reshape(box, (-1, 4))
    inside = covered([edges[:, i] for i in range(4)], image_size, 1, xp)
    inside = xp.reshape(inside, (-1, *shares.shape[1:-1], *image_size))
    within, without = (shares[..., i, None, None] for i in range(2))
    return xp.where(inside > 0, within, without)


def own_share(
    box: np.ndarray,
    shares: np.ndarray,
    image_size: tuple[int, int],
    masks: np.ndarray | None = None,
) -> np.ndarray:
    """Share of an image in the visible parts of it and its partner.

    All pixels of a position of the mixing grid have the mask of the position. If
    nothing is visible, the loss has no weight, and the share is that of all
    pixels.

    Args:
        box: Array `(B, M, 4)`: top, bottom, left and right in pixels.
        shares: Array `(B, M, 2)`: inside and outside of the box.
        image_size: Tuple of integers (H, W).
        masks: Array `(B, M, h, w)`, or `None` if all pixels are visible.
            Defaults to `None`.

    Returns:
        Array `(B, M)`.

    References:
        MixMo, Section 6.4 (lambda').
    """
    inside, outside = shares[..., 0], shares[..., 1]
    height, width = image_size
    lengths = box[..., 1] - box[..., 0], box[..., 3] - box[..., 2]
    everywhere = lengths[0] * lengths[1] / (height * width)
    if masks is not None:
        # Whole pixels, so that the patches of a grid are whole pixels too.
        side = height // masks.shape[2]
        edges = list(np.moveaxis(box.reshape(-1, 4), 1, 0))
        part = covered(edges, image_size, side).reshape(masks.shape) / side**2
        masks = masks.astype("float64")
        total = masks.sum(axis=(2, 3))
        visible = np.einsum("bmhw,bmhw->bm", part, masks)
        some = total > 0
        everywhere = np.where(some, visible / np.where(some, total, 1), everywhere)
    return outside + (inside - outside) * everywhere
