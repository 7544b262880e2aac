import abc
from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_integer, is_number, require
from keras_mixvit.data.sources._resizing import centred, cropped, default_share

# From (position, height, width) to the box (top, left, height, width).
Crop = Callable[[int, int, int], tuple[float, float, float, float]]


class ImageSource(abc.ABC):
    """Images that are read, cropped and resized on demand.

    A subclass defines `__len__` and `original(index)`, which returns one image
    as it is stored, a uint8 array `(h, w, C)`. You index the source like an
    array `(n, H, W, C)`. Several threads read a batch at once.

    Args:
        image_shape: Tuple of integers (H, W, C), the shape of the images that
            it returns.
        varies: Boolean, whether originals may have another size than (H, W).
            Then a random resized crop works on the originals. Defaults to
            `False`.
        resize_share: Float in (0, 1]. Without a crop, the shorter side is
            resized to the target size divided by this share, and the middle is
            cut out. `None` means 0.875 for sizes of at least 128 pixels, else
            1. Defaults to `None`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    class Shades(ImageSource):
        def __len__(self):
            return 256

        def original(self, index):
            return np.full((48, 64, 3), index, "uint8")

    shades = Shades((32, 32, 3), varies=True)
    assert shades[[[0, 1], [2, 3]]].shape == (2, 2, 32, 32, 3)
    left_half = shades.read([7], crop=lambda position, h, w: (0, 0, h, w / 2))
    assert left_half.shape == (1, 32, 32, 3) and (left_half == 7).all()
    ```
    """

    dtype = np.dtype("uint8")

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        varies: bool = False,
        resize_share: float | None = None,
    ):
        is_three = isinstance(image_shape, (tuple, list)) and len(image_shape) == 3
        require(
            is_three and all(is_integer(n) and n > 0 for n in image_shape),
            "`image_shape` must be three positive integers (H, W, C).",
            image_shape=image_shape,
        )
        height, width, channels = image_shape
        require_resize_share(resize_share)
        if resize_share is None:
            resize_share = default_share((height, width))
        self.image_shape = (height, width, channels)
        self.varies = varies
        self.resize_share = resize_share

    @abc.abstractmethod
    def __len__(self):
        """The number n of images."""

    @abc.abstractmethod
    def original(self, index: int) -> np.ndarray:
        """Image `index`, in 0 to n - 1, as stored: uint8 `(h, w, C)`."""

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """Shape (n, H, W, C) of all images."""
        return (len(self), *self.image_shape)

    @property
    def image_size(self) -> tuple[int, int]:
        """Size (H, W) of the images that it returns."""
        return self.image_shape[:2]

    @property
    def ndim(self) -> int:
        """4."""
        return 4

    @property
    def shards(self) -> np.ndarray | None:
        """Index of the first image of each shard, ascending from 0, or `None`.

        Images of a source with shards are read a few shards at a time: `shuffle`
        mixes the order of shards, and the images of some neighbours in it.
        """
        return None

    def read(
        self,
        indices: npt.ArrayLike,
        crop: Crop | None = None,
    ) -> np.ndarray:
        """Reads images, and decodes an image only once if its index is repeated.

        Args:
            indices: Integer array `(B,)` in 0 to n - 1.
            crop: Function from (position in `indices`, height, width) to the
                box (top, left, height, width) in pixels of the original, which
                is resized to (H, W), bicubic. The order of its calls is not
                defined. With `None`, originals of that size stay as they are,
                and others are resized and cut to the middle. Defaults to
                `None`.

        Returns:
            uint8 array `(B, H, W, C)`.

        Raises:
            ValueError: If an image cannot be read, or a box is not inside its
                image.
        """
        indices = np.asarray(indices)
        images = np.empty((len(indices), *self.image_shape), self.dtype)
        order = np.argsort(indices, kind="stable")
        borders = np.flatnonzero(np.diff(indices[order])) + 1
        for positions in np.split(order, borders) if len(order) else ():
            original = self._checked(int(indices[positions[0]]))
            if crop is None:
                images[positions] = centred(
                    original, self.image_size, self.resize_share
                )
                continue
            for position in positions.tolist():
                box = crop(position, *original.shape[:2])
                images[position] = cropped(original, box, self.image_size)
        return images

    def _checked(self, index):
        original = self.original(index)
        channels = self.image_shape[2]
        # NumPy would spread one channel over three.
        require(
            original.dtype == self.dtype and original.shape[2:] == (channels,),
            f"`original` must give uint8 arrays (h, w, {channels}).",
            index=index,
            dtype=str(original.dtype),
            shape=original.shape,
        )
        return original

    def __getitem__(self, index):
        if isinstance(index, slice):
            index = np.arange(*index.indices(len(self)))
        index = np.asarray(index)
        if index.dtype == bool:
            require(
                index.shape == (len(self),),
                f"A Boolean index must have shape ({len(self)},).",
                shape=index.shape,
            )
            index = np.flatnonzero(index)
        elif not index.size:
            index = index.astype(int)
        if index.dtype.kind not in "iu":
            raise IndexError(f"An index must be of integers. Got {index.dtype}.")
        index = np.where(index < 0, index + len(self), index)
        if ((index < 0) | (index >= len(self))).any():
            raise IndexError(f"An index must be in 0 to {len(self) - 1}.")
        return self.read(index.ravel()).reshape(*index.shape, *self.image_shape)

    def __array__(self, dtype=None, copy=None):
        # NumPy would read all images one by one.
        raise TypeError(
            f"{type(self).__name__} holds {len(self)} images that it reads on demand. "
            "Index it, or pass `ImageSet.batches()` to `evaluate` and `predict`."
        )


def require_resize_share(value) -> None:
    """Requires `None` or a share in (0, 1]."""
    require(
        value is None or (is_number(value) and 0 < value <= 1),
        "`resize_share` must be in (0, 1].",
        resize_share=value,
    )


def without_empty(starts: np.ndarray, count: int) -> np.ndarray:
    """The first images of shards, without those that have lost all of their images.

    Args:
        starts: Integer array, ascending, with repeats for shards without images.
        count: Integer, the number of images.
    """
    found = np.unique(starts)
    return found[found < count]
