import io
import threading
from typing import Protocol, Self

import numpy as np
import numpy.typing as npt

from keras_mixvit.data.sources._image_source import Crop
from keras_mixvit.data.sources._stored_images import StoredImages

# Whether a thread reads a batch, for which items may stay open.
_READING = threading.local()


class EncodedItems(Protocol):
    """Contents of image files that lie inside larger files."""

    @property
    def shards(self) -> np.ndarray | None:
        """As `ImageSource.shards`."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str:
        """The name of an image, in errors and in lists of images to leave out."""

    def content(self, index: int) -> bytes:
        """The content of an image file."""

    def taken(self, chosen: np.ndarray) -> Self:
        """Some of the images, of ascending indices."""

    def places_of(self, names: set[str]) -> np.ndarray:
        """Indices of the images of these names; unknown names have none."""

    def close(self) -> None:
        """Closes what this thread has open."""


class EncodedImages(StoredImages):
    """Images inside larger files, such as archives, which Pillow decodes on demand.

    Args:
        items: `EncodedItems`.
        place: String, the set that errors name.
        image_size: See `StoredImages`. Defaults to `None`.
        channels: See `StoredImages`. Defaults to `None`.
        resize_share: See `ImageSource`. Defaults to `None`.
    """

    def __init__(
        self,
        items: EncodedItems,
        place: str,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        resize_share: float | None = None,
    ):
        self.items = items
        try:
            super().__init__("name", place, image_size, channels, resize_share)
        finally:
            items.close()

    def __len__(self):
        return len(self.items)

    @property
    def shards(self) -> np.ndarray | None:
        return self.items.shards

    def file(self, index: int) -> io.BytesIO:
        return io.BytesIO(self.items.content(index))

    def item(self, index: int) -> str:
        return self.items.name(index)

    def original(self, index: int) -> np.ndarray:
        try:
            return super().original(index)
        finally:
            if not getattr(_READING, "batch", False):
                self.items.close()

    def read(self, indices: npt.ArrayLike, crop: Crop | None = None) -> np.ndarray:
        _READING.batch = True
        try:
            return super().read(indices, crop)
        finally:
            _READING.batch = False
            self.items.close()
