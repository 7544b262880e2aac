from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.array_checks import require_images, require_labels


@dataclass(frozen=True)
class ImageSet:
    """Images with integer labels and the names of their classes.

    Args:
        images: Array `(n, H, W, C)`.
        labels: Integer array `(n,)`.
        class_names: Tuple of K strings.

    Raises:
        ValueError: If images and labels do not match, or a label has no name.

    Example:

    ```python
    digits = load("digits", split="test")
    assert digits.images.shape == (500, 8, 8, 1) and digits.num_classes == 10
    ```
    """

    images: np.ndarray
    labels: np.ndarray
    class_names: tuple[str, ...]

    def __post_init__(self):
        object.__setattr__(self, "images", require_images("images", self.images))
        labels = require_labels("labels", self.labels, self.num_classes)
        object.__setattr__(self, "labels", labels)
        require(
            len(self.images) == len(labels),
            "`images` and `labels` must have the same length.",
            images=len(self.images),
            labels=len(labels),
        )

    @property
    def num_classes(self) -> int:
        """The number K of classes."""
        return len(self.class_names)

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation per channel, for `mean` and `std`."""
        axes = (0, 1, 2)
        mean = self.images.mean(axis=axes, dtype="float64")
        std = self.images.std(axis=axes, dtype="float64")
        return mean.tolist(), np.where(std > 0, std, 1.0).tolist()
