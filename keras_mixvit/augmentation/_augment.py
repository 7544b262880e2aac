from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._arrays import floats
from keras_mixvit.augmentation._augmentation import Augmentation


@dataclass(frozen=True)
class Augment:
    """Augmentations, one after the other, for images of 0 to 255.

    Args:
        augmentations: List of augmentations, in the order in which they act.

    Raises:
        ValueError: If an entry of the list is not an augmentation, or needs
            whole numbers and follows one that does not keep them.

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
        are_bytes = True
        for item in self.augmentations:
            require(
                are_bytes or not item.needs_bytes,
                f"`augmentations` must have {type(item).__name__}, which needs whole "
                "numbers, before any augmentation that does not keep them.",
                augmentations=[type(item).__name__ for item in self.augmentations],
            )
            are_bytes = are_bytes and item.keeps_bytes

    @property
    def keeps_bytes(self) -> bool:
        """Whether bytes remain bytes."""
        return all(item.keeps_bytes for item in self.augmentations)

    @property
    def runs_on_device(self) -> bool:
        """Whether all augmentations can be part of a compiled step."""
        return all(item.runs_on_device for item in self.augmentations)

    @property
    def runs_in_threads(self) -> bool:
        """Whether all augmentations can run in a thread beside the training."""
        return all(item.runs_in_threads for item in self.augmentations)

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        """Shape (H, W, C) of the results for images of a shape."""
        for item in self.augmentations:
            image_shape = item.output_shape(image_shape)
        height, width, channels = image_shape
        return height, width, channels

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, dict[str, np.ndarray]]:
        """Draws the random numbers for some images.

        Args:
            rng: The only source of chance.
            count: Integer B, the number of images.
            image_shape: Tuple of integers (H, W, C).

        Returns:
            Dict from the position of each augmentation, as text, to its dict of
            arrays `(B, ...)`.
        """
        draws = {}
        for position, item in enumerate(self.augmentations):
            draws[str(position)] = item.draw(rng, count, image_shape)
            image_shape = item.output_shape(image_shape)
        return draws

    def apply(
        self, images: Tensor, draws: dict[str, dict[str, Tensor]], xp: Namespace = np
    ) -> Tensor:
        """Changes images by the given draws.

        Args:
            images: Array `(B, H, W, C)` in 0 to 255, uint8 or float32.
            draws: Dict that `draw` returned.
            xp: Array namespace. Defaults to `numpy`.

        Returns:
            Array `(B, H, W, C)`, float32 unless it is a NumPy array.
        """
        if xp is not np:
            images = floats(images, xp)
        for position, item in enumerate(self.augmentations):
            changed = item.apply(images, draws[str(position)], xp)
            if xp is np:
                stays = images.dtype == np.uint8 and item.keeps_bytes
                changed = changed.astype("uint8" if stays else "float32", copy=False)
            images = changed
        return images

    def __call__(self, rng: np.random.Generator, images: np.ndarray) -> np.ndarray:
        """Draws and applies, in NumPy.

        Args:
            rng: The only source of chance.
            images: uint8 array `(B, H, W, C)`.

        Returns:
            uint8 array `(B, H, W, C)`, or float32 if an augmentation does not
            keep whole numbers.
        """
        images = np.asarray(images)
        require(
            images.dtype == np.uint8 and images.ndim == 4,
            "`images` must be uint8 of shape (B, H, W, C).",
            dtype=str(images.dtype),
            shape=images.shape,
        )
        draws = self.draw(rng, len(images), images.shape[1:])
        return self.apply(images, draws)
