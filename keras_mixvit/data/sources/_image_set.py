from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import numbers_of, require
from keras_mixvit.data.sources._array_checks import require_images, require_labels
from keras_mixvit.data.sources._image_batches import ImageBatches
from keras_mixvit.data.sources._image_source import ImageSource

# Enough for three digits of every channel.
SAMPLED_IMAGES = 2048
CHUNK_VALUES = 2**21


@dataclass(frozen=True)
class ImageSet:
    """Images with integer labels and the names of their classes.

    Args:
        images: Array `(n, H, W, C)`, or an `ImageSource`.
        labels: Integer array `(n,)`.
        class_names: Tuple of K strings.
        mean: Tuple of C floats, the published mean per channel, on the scale
            of the images, or `None` to compute it. Defaults to `None`.
        std: Tuple of C positive floats, likewise. Defaults to `None`.

    Raises:
        ValueError: If images and labels do not match, or a label has no name,
            or `mean` and `std` do not fit.

    Example:

    ```python
    digits = load("digits", split="test")
    assert digits.images.shape == (500, 8, 8, 1) and digits.num_classes == 10
    images, labels = digits.batches(100)[0]
    assert images.shape == (100, 8, 8, 1) and labels.shape == (100,)
    ```
    """

    images: np.ndarray | ImageSource
    labels: np.ndarray
    class_names: tuple[str, ...]
    mean: tuple[float, ...] | None = None
    std: tuple[float, ...] | None = None

    def __post_init__(self):
        require(
            isinstance(self.class_names, (tuple, list)),
            "`class_names` must be a tuple of names.",
            class_names=self.class_names,
        )
        if not isinstance(self.images, ImageSource):
            object.__setattr__(self, "images", require_images("images", self.images))
        labels = require_labels("labels", self.labels, self.num_classes)
        object.__setattr__(self, "labels", labels)
        require(
            len(self.images) == len(labels),
            "`images` and `labels` must have the same length.",
            images=len(self.images),
            labels=len(labels),
        )
        both_or_none = (self.mean is None) == (self.std is None)
        given = () if self.mean is None or self.std is None else (self.mean, self.std)
        channels = self.images.shape[3]
        require(
            both_or_none
            and all(len(numbers_of(values)) == channels for values in given),
            f"`mean` and `std` must both be None or {channels} numbers.",
            mean=self.mean,
            std=self.std,
        )
        require(
            self.std is None or not given or min(self.std) > 0,
            "`std` must be positive.",
            std=self.std,
        )

    @property
    def num_classes(self) -> int:
        """The number K of classes."""
        return len(self.class_names)

    def statistics(self) -> tuple[list[float], list[float]]:
        """Mean and standard deviation per channel, for `mean` and `std`.

        Published values if the set has them. Otherwise they are computed from
        all images or, for an `ImageSource`, from 2,048 images drawn with a fixed
        seed. A constant channel has the standard deviation 1.
        """
        if self.mean is not None and self.std is not None:
            return [float(v) for v in self.mean], [float(v) for v in self.std]
        chosen = np.arange(len(self.images))
        if isinstance(self.images, ImageSource) and len(chosen) > SAMPLED_IMAGES:
            chosen = np.random.default_rng(0).choice(chosen, SAMPLED_IMAGES, False)
            # In the order of the files.
            chosen.sort()
        count = 0
        mean = squares = np.zeros(self.images.shape[3])
        step = max(1, CHUNK_VALUES // int(np.prod(self.images.shape[1:])))
        for start in range(0, len(chosen), step):
            # Combine the means and sums of squared deviations of two parts (Chan
            # et al., 1979): images of large values lose no digits.
            part = self.images[chosen[start : start + step]].astype("float64")
            part = part.reshape(-1, part.shape[3])
            part_mean = part.mean(axis=0)
            part -= part_mean
            delta, total = part_mean - mean, count + len(part)
            squares = squares + np.square(part, out=part).sum(axis=0)
            squares = squares + delta**2 * (count * len(part) / total)
            mean = mean + delta * (len(part) / total)
            count = total
        std = np.sqrt(squares / count)
        return mean.tolist(), np.where(std > 0, std, 1.0).tolist()

    def batches(self, batch_size: int = 128, workers: int = 1) -> ImageBatches:
        """Batches in order, for `evaluate`, `predict` and `validation_data`.

        Args:
            batch_size: Positive integer; the last batch may be smaller.
                Defaults to `128`.
            workers: Integer, threads that prepare batches ahead; `0` prepares
                each batch on request. Defaults to `1`.

        Returns:
            A `keras.utils.PyDataset` of (images, labels).
        """
        return ImageBatches(self.images, self.labels, batch_size, workers)
