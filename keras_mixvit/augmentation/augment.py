from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.augmentation.augmentation import Augmentation


@dataclass(frozen=True)
class Augment:
    """Augmentations, one after the other, for images of 0 to 255.

    Args:
        augmentations: List of augmentations, in the order in which they act.

    Raises:
        ValueError: If something in the list is no augmentation.

    Example:

    ```python
    augment = Augment([PadCrop(4), HorizontalFlip(), AutoAugment("cifar10")])
    images = np.zeros((8, 32, 32, 3), "uint8")
    assert augment(np.random.default_rng(0), images).dtype == "uint8"
    ```

    References:
        MixViT, Section 4; MixMo, Section 6.4.
    """

    augmentations: list[Augmentation]

    def __post_init__(self):
        object.__setattr__(self, "augmentations", tuple(self.augmentations))
        require(
            all(isinstance(item, Augmentation) for item in self.augmentations),
            "`augmentations` must be a list of augmentations.",
            augmentations=self.augmentations,
        )

    def draw(self, rng, count, image_shape) -> list[dict[str, np.ndarray]]:
        """Draws what is done to each of some images.

        Args:
            rng: The only source of chance.
            count: Integer B, the number of images.
            image_shape: Tuple of integers (H, W, C).

        Returns:
            List of what each augmentation drew.
        """
        return [item.draw(rng, count, image_shape) for item in self.augmentations]

    def apply(self, images, draws, xp=np):
        """Changes images as was drawn.

        Args:
            images: Array `(B, H, W, C)` in 0 to 255, of a floating dtype.
            draws: What `draw` gave.
            xp: Array namespace. Defaults to `numpy`.

        Returns:
            Array `(B, H, W, C)`.
        """
        for item, drawn in zip(self.augmentations, draws, strict=True):
            images = item.apply(images, drawn, xp)
        return images

    def __call__(self, rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
        """Draws and applies, in NumPy.

        Args:
            rng: The only source of chance.
            images: uint8 array `(B, H, W, C)`.

        Returns:
            uint8 array of the same shape, float32 if an augmentation leaves
            whole numbers.
        """
        images = np.asarray(images)
        require(
            images.dtype == np.uint8 and images.ndim == 4,
            "`images` must be uint8 of shape (B, H, W, C).",
            dtype=str(images.dtype),
            shape=images.shape,
        )
        draws = self.draw(rng, len(images), images.shape[1:])
        changed = self.apply(images.astype("float32"), draws)
        keeps_bytes = all(item.keeps_bytes for item in self.augmentations)
        return changed.astype("uint8" if keeps_bytes else "float32")
