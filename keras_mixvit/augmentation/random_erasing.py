from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.augmentation.augmentation import Augmentation

TRIES = 10


@dataclass(frozen=True)
class RandomErasing(Augmentation):
    """Fills a box of some images with noise, as DeiT does.

    The box covers a share of the image drawn from U(0.02, 1/3), with an aspect
    ratio log-uniform in 0.3 to 1/0.3; up to ten are tried until one lies
    inside. Its pixels are normal, after normalisation with `mean` and `std`
    standard normal: they may lie beyond 0 and 255, so that images become
    float32. It comes last.

    Args:
        probability: Float in [0, 1], the share of images. Defaults to `0.25`.
        mean: Float, or one per channel, the mean of the noise on the scale of
            the images. Defaults to `127.5`.
        std: Positive float, or one per channel. Defaults to `64.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    images = np.zeros((8, 32, 32, 3), "uint8")
    erased = Augment([RandomErasing(1.0)])(np.random.default_rng(0), images)
    assert erased.dtype == "float32" and erased.any(axis=(1, 2, 3)).all()
    ```

    References:
        Zhong et al., Random Erasing, 2020; DeiT (Touvron et al., 2021);
        MixViT, Section 4.
    """

    probability: float = 0.25
    mean: float | tuple[float, ...] = 127.5
    std: float | tuple[float, ...] = 64.0

    # Without an annotation it is no argument.
    keeps_bytes = False

    def __post_init__(self):
        require(
            0 <= self.probability <= 1,
            "`probability` must be in [0, 1].",
            probability=self.probability,
        )
        require(
            np.all(np.isfinite(self.mean)), "`mean` must be finite.", mean=self.mean
        )
        require(
            np.all(np.asarray(self.std) > 0), "`std` must be positive.", std=self.std
        )

    def draw(self, rng, count, image_shape):
        height, width, channels = image_shape
        areas = rng.uniform(0.02, 1 / 3, (count, TRIES)) * height * width
        aspects = np.exp(rng.uniform(np.log(0.3), np.log(1 / 0.3), (count, TRIES)))
        heights = np.round(np.sqrt(areas * aspects))
        widths = np.round(np.sqrt(areas / aspects))
        fits = (heights < height) & (widths < width)
        tries = fits.argmax(axis=1)
        chosen = np.arange(count)
        box_height, box_width = heights[chosen, tries], widths[chosen, tries]
        top = np.floor(rng.random(count) * (height - box_height + 1))
        left = np.floor(rng.random(count) * (width - box_width + 1))
        is_erased = (rng.random(count) < self.probability) & fits.any(axis=1)
        noise = rng.standard_normal((count, height, width, channels), dtype="float32")
        boxes = np.stack([top, left, top + box_height, left + box_width], axis=1)
        return {
            "box": np.where(is_erased[:, None], boxes, 0).astype("float32"),
            "noise": noise,
        }

    def apply(self, images, draws, xp=np):
        _, height, width, _ = images.shape
        top, left, bottom, right = (draws["box"][:, i, None] for i in range(4))
        rows = xp.arange(height, dtype="float32")
        columns = xp.arange(width, dtype="float32")
        inside = ((rows >= top) & (rows < bottom))[:, :, None]
        inside = inside & ((columns >= left) & (columns < right))[:, None, :]
        mean, std = (xp.array(v, dtype="float32") for v in (self.mean, self.std))
        return xp.where(inside[..., None], draws["noise"] * std + mean, images)
