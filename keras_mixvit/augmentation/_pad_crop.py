from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._arrays import integers
from keras_mixvit.augmentation._augmentation import Augmentation


@dataclass(frozen=True)
class PadCrop(Augmentation):
    """Pads images with zeros and crops them to their size at a random position.

    Args:
        padding: Integer, pixels on each side. Defaults to `4`.

    Raises:
        ValueError: If `padding` is not a positive integer.

    Example:

    ```python
    images = np.full((8, 32, 32, 3), 255, "uint8")
    assert Augment([PadCrop()])(np.random.default_rng(0), images).min() == 0
    ```

    References:
        MixMo, Section 6.4; He et al., Deep Residual Learning, 2016.
    """

    padding: int = 4

    def __post_init__(self):
        require_positive_integer("padding", self.padding)

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        positions = rng.integers(2 * self.padding + 1, size=(2, count))
        return {
            "row": positions[0].astype("int32"),
            "column": positions[1].astype("int32"),
        }

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        if xp is np:
            return _sliced(images, draws["row"], draws["column"], self.padding)
        _, height, width, channels = images.shape
        shape = (-1, height, width, channels)
        pad = self.padding
        rows = draws["row"][:, None] - pad + xp.arange(height, dtype="int32")
        columns = draws["column"][:, None] - pad + xp.arange(width, dtype="int32")
        inside = ((rows >= 0) & (rows < height))[:, :, None]
        inside = inside & ((columns >= 0) & (columns < width))[:, None, :]
        rows = integers(xp.clip(rows, 0, height - 1), xp)
        columns = integers(xp.clip(columns, 0, width - 1), xp)
        positions = rows[:, :, None] * width + columns[:, None, :]
        positions = xp.reshape(positions, (-1, height * width, 1))
        positions = xp.repeat(positions, channels, axis=2)
        flat = xp.reshape(images, (-1, height * width, channels))
        cropped = xp.take_along_axis(flat, positions, axis=1)
        return xp.where(inside[..., None], xp.reshape(cropped, shape), 0.0)


def _sliced(images, rows, columns, pad):
    # Slices of one image at a time move whole rows: several times as fast as
    # looking every pixel up.
    _, height, width, _ = images.shape
    cropped = np.zeros_like(images)
    positions = np.stack([rows, columns], axis=1) - pad
    for i, (row, column) in enumerate(positions.tolist()):
        top, left = max(0, -row), max(0, -column)
        bottom, right = min(height, height - row), min(width, width - column)
        if bottom <= top or right <= left:
            # The position is in the padding alone, which may exceed the image.
            continue
        cropped[i, top:bottom, left:right] = images[
            i, top + row : bottom + row, left + column : right + column
        ]
    return cropped
