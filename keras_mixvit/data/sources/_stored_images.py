import abc
import functools
import os
from typing import IO, Any

import numpy as np

from keras_mixvit._checks import require, require_choice, require_image_size
from keras_mixvit.data.sources._image_files import (
    GREY_MODES,
    damage,
    decoded,
    header_of,
)
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.data.sources._resizing import pillow

SAMPLED_HEADERS = 1024


class DifferentSizes(ValueError):
    """Images differ in size, and no size was given.

    Args:
        text: String, the error.
        sizes: List of tuples of integers (H, W), those of some images.
    """

    def __init__(self, text: str, sizes: list[tuple[int, int]]):
        super().__init__(text)
        self.sizes = sizes


class StoredImages(ImageSource):
    """Image files, or contents of image files, which Pillow decodes on demand.

    A subclass defines `__len__`, `file` and `item`, and sets what they need before
    it calls this constructor, which reads the headers of 1,024 images.

    Args:
        holder: String, the argument that errors name.
        place: String, its value.
        image_size: Integer, or tuple of integers (H, W), to which images are
            resized, or `None` where all are of one size. Defaults to `None`.
        channels: `1`, `3`, or `None` for 1 where all images are grey, else 3.
            Defaults to `None`.
        resize_share: See `ImageSource`. Defaults to `None`.

    Attributes:
        skipped: Dict from the images that were left out to their errors.
    """

    def __init__(
        self,
        holder: str,
        place: str,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        resize_share: float | None = None,
    ):
        size = require_image_size(image_size)
        self.skipped: dict[str, str] = {}
        require(len(self) > 0, f"`{holder}` must hold image files.", **{holder: place})
        require_choice("channels", channels, (1, 3, None))
        sizes, found_channels = self._sample(holder)
        self._is_resized = size is not None
        if size is None:
            try:
                require(
                    len(sizes) == 1,
                    "`image_size` must be given if images differ in size.",
                    sizes=sorted(sizes)[:3],
                )
            except ValueError as error:
                raise DifferentSizes(str(error), sorted(sizes)) from None
            (size,) = sizes
        super().__init__(
            (*size, channels or found_channels),
            varies=sizes != {size},
            resize_share=resize_share,
        )
        self.channels = self.image_shape[2]

    @abc.abstractmethod
    def file(self, index: int) -> str | os.PathLike | IO[bytes]:
        """Path of an image file, or a file object with its content."""

    @abc.abstractmethod
    def item(self, index: int) -> str:
        """What errors call an image."""

    def original(self, index: int) -> np.ndarray:
        name = functools.partial(self.item, index)
        try:
            file = self.file(index)
        except (OSError, ValueError) as error:
            raise damage(name, error) from error
        pixels = decoded(file, name, self.channels)
        if not self._is_resized and pixels.shape[:2] != self.image_shape[:2]:
            require(
                False,
                "`image_size` must be given if images differ in size.",
                file=name(),
                size=pixels.shape[:2],
                others=self.image_shape[:2],
            )
        return pixels

    def _sample(self, holder) -> tuple[set, int]:
        """Sizes (H, W), and channels, of some files."""
        Image = pillow()
        count = min(len(self), SAMPLED_HEADERS)
        chosen = np.random.default_rng(0).choice(len(self), count, replace=False)
        sizes, has_colour = set(), False
        failure: Any = None
        for index in np.sort(chosen).tolist():
            try:
                with Image.open(self.file(index)) as image:
                    header = header_of(image)
                sizes.add(header.size)
                has_colour |= header.mode not in GREY_MODES
            except Exception as error:
                # A later read of this file raises the error.
                failure = failure or (self.item(index), error)
        require(
            bool(sizes),
            f"`{holder}` must hold intact image files.",
            file=failure and failure[0],
            error=failure and str(failure[1]),
        )
        return sizes, 3 if has_colour else 1
