from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import is_number, require, require_positive_integer
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._augmentation import Augmentation
from keras_mixvit.augmentation._resample import resized

TRIES = 10


@dataclass(frozen=True)
class RandomResizedCrop(Augmentation):
    """Cuts a random box out of each image and resizes it, bicubically.

    The box covers a share of the image drawn from U(`scale`), with an aspect
    ratio, width over height, log-uniform in `aspect`. Up to ten boxes are tried
    until one lies inside; otherwise it takes the largest box in the middle with
    an aspect ratio in range. Columns are resized before rows, each rounded to
    bytes, as in most cases in Pillow. Where Pillow takes rows first, results
    differ by about one level.

    If images are of various sizes, from a folder, it must be the first
    augmentation. It then reads its box from the original.

    Args:
        size: Tuple of integers (H, W) of the results, an integer for both, or
            `None` for the size of the images. Defaults to `None`.
        scale: Tuple of floats in (0, 1], the least and largest share. Defaults
            to `(0.08, 1.0)`.
        aspect: Tuple of positive floats, the least and largest aspect ratio.
            Defaults to `(0.75, 1.3333333333333333)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    images = np.zeros((8, 64, 48, 3), "uint8")
    crop = RandomResizedCrop(32)
    assert Augment([crop])(np.random.default_rng(0), images).shape == (8, 32, 32, 3)
    ```

    References:
        Szegedy et al., Going Deeper with Convolutions, 2015, Section 6; DeiT
        (Touvron et al., 2021).
    """

    size: int | tuple[int, int] | None = None
    scale: tuple[float, float] = (0.08, 1.0)
    aspect: tuple[float, float] = (0.75, 4 / 3)

    # Without an annotation it is not an argument of the dataclass.
    needs_bytes = True

    def __post_init__(self):
        if self.size is not None:
            sides = (
                self.size if isinstance(self.size, (tuple, list)) else [self.size] * 2
            )
            require(len(sides) == 2, "`size` must be (H, W).", size=self.size)
            for side in sides:
                require_positive_integer("size", side)
            object.__setattr__(self, "size", tuple(sides))
        require(
            _is_range(self.scale) and self.scale[1] <= 1,
            "`scale` must be in (0, 1].",
            scale=self.scale,
        )
        require(
            _is_range(self.aspect) and self.aspect[1] < float("inf"),
            "`aspect` must be two positive numbers, the smaller first.",
            aspect=self.aspect,
        )

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        if not isinstance(self.size, tuple):
            return image_shape
        height, width = self.size
        return height, width, image_shape[2]

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        uniform = self.uniform(rng, count)
        return {"box": self.boxes(uniform, *image_shape[:2]).astype("float32")}

    def uniform(self, rng: np.random.Generator, count: int) -> np.ndarray:
        """Numbers `(B, 22)` from which `boxes` makes boxes of any size."""
        return rng.random((count, 2 * TRIES + 2))

    def boxes(self, uniform: np.ndarray, height: int, width: int) -> np.ndarray:
        """Boxes in images of one size, from uniform numbers.

        Args:
            uniform: Array `(B, 22)`, as `uniform` gives it.
            height: Integer, in pixels.
            width: Integer, in pixels.

        Returns:
            Integer array `(B, 4)`: top, left, height, width.
        """
        shares, aspects = uniform[:, :TRIES], uniform[:, TRIES : 2 * TRIES]
        low, high = self.scale
        areas = (low + (high - low) * shares) * height * width
        low, high = np.log(self.aspect)
        ratios = np.exp(low + (high - low) * aspects)
        widths = np.round(np.sqrt(areas * ratios))
        heights = np.round(np.sqrt(areas / ratios))
        fits = (widths >= 1) & (widths <= width)
        fits = fits & (heights >= 1) & (heights <= height)
        tries, rows, found = fits.argmax(axis=1), np.arange(len(fits)), fits.any(axis=1)
        aspect = np.clip(width / height, *self.aspect)
        # A strip may have no box of a pixel with an aspect ratio in range.
        largest_height = max(1, min(height, round(width / aspect)))
        largest_width = max(1, min(width, round(height * aspect)))
        box_height = np.where(found, heights[rows, tries], largest_height)
        box_width = np.where(found, widths[rows, tries], largest_width)
        positions, rows, columns = (
            uniform[:, -2:],
            height - box_height,
            width - box_width,
        )
        top = np.where(found, np.floor(positions[:, 0] * (rows + 1)), rows // 2)
        left = np.where(found, np.floor(positions[:, 1] * (columns + 1)), columns // 2)
        return np.stack([top, left, box_height, box_width], axis=1).astype("int32")

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        size = self.output_shape(images.shape[1:])[:2]
        if xp is np:
            images = images.astype("float32", copy=False)
        result = resized(images, draws["box"], size, xp)
        return result.astype("uint8") if xp is np else result


def _is_range(values):
    """Whether values are two positive numbers, the smaller first."""
    is_pair = isinstance(values, (tuple, list)) and len(values) == 2
    return is_pair and all(map(is_number, values)) and 0 < values[0] <= values[1]
