from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import is_number, require
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._arrays import per_image
from keras_mixvit.augmentation._augmentation import Augmentation


@dataclass(frozen=True)
class HorizontalFlip(Augmentation):
    """Mirrors some images, left to right.

    Args:
        probability: Float in [0, 1], the share of images. Defaults to `0.5`.

    Raises:
        ValueError: If `probability` is not in [0, 1].

    Example:

    ```python
    images = np.arange(12, dtype="uint8").reshape(1, 2, 2, 3)
    flipped = Augment([HorizontalFlip(1.0)])(np.random.default_rng(0), images)
    assert np.array_equal(flipped, images[:, :, ::-1])
    ```

    References:
        MixMo, Section 6.4.
    """

    probability: float = 0.5

    def __post_init__(self):
        require(
            is_number(self.probability) and 0 <= self.probability <= 1,
            "`probability` must be in [0, 1].",
            probability=self.probability,
        )

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        # Numbers: Keras cannot spread booleans over replicas on TensorFlow.
        return {"flipped": (rng.random(count) < self.probability).astype("uint8")}

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        if xp is np:
            return _mirrored(images, draws["flipped"] > 0)
        flipped = per_image(draws["flipped"], xp) > 0
        return xp.where(flipped, xp.flip(images, axis=2), images)


def _mirrored(images, flipped):
    # Rows of numbers are looked up four times as fast as views of reversed
    # pixels are copied.
    _, _, width, channels = images.shape
    order = np.arange(width * channels).reshape(width, channels)[::-1].reshape(-1)
    chosen, images = images[flipped], images.copy()
    rows = chosen.reshape(-1, width * channels)
    images[flipped] = np.take(rows, order, axis=1).reshape(chosen.shape)
    return images
