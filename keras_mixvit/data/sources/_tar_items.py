import os
import threading
from collections.abc import Sequence
from typing import IO, Any, Self

import numpy as np

from keras_mixvit.data.sources._image_source import without_empty
from keras_mixvit.data.sources._tar_index import TarIndex
from keras_mixvit.data.sources._tar_members import member_at

# The shard that a thread has open while it reads a batch.
_OPEN: Any = threading.local()


class TarItems:
    """Images in .tar files, read by their place; nothing is unpacked.

    Memory holds four numbers for each image.

    Args:
        paths: Sequence of paths of the shards.
        index: `TarIndex` of all their images.
        starts: Integer array, the index of the first image of each shard.
        is_mixed: Boolean, whether shards hold images of all classes. Others must be
            mixed as a whole. Defaults to `True`.
    """

    def __init__(
        self,
        paths: Sequence[str],
        index: TarIndex,
        starts: np.ndarray,
        is_mixed: bool = True,
    ):
        self.paths, self.index, self.starts = tuple(paths), index, starts
        self.is_mixed = is_mixed

    def __len__(self):
        return len(self.index.places)

    @property
    def shards(self) -> np.ndarray | None:
        """As `ImageSource.shards`."""
        return without_empty(self.starts, len(self)) if self.is_mixed else None

    def name(self, index: int) -> str:
        """Name of the shard, a slash, and the name of the image in it."""
        path = self._path(index)
        header = int(self.index.headers[index])
        try:
            member = member_at(self._file(path), header)
        except OSError:
            member = None
        name = f"byte {header}" if member is None else member.name
        return f"{self._shard(path)}/{name}"

    def content(self, index: int) -> bytes:
        file = self._file(self._path(index))
        length = int(self.index.lengths[index])
        file.seek(int(self.index.places[index]))
        content = file.read(length)
        if len(content) < length:
            raise ValueError("its shard is shorter than it was")
        return content

    def taken(self, chosen: np.ndarray) -> Self:
        own = self.index
        index = TarIndex(
            own.headers[chosen],
            own.places[chosen],
            own.lengths[chosen],
            own.codes[chosen],
            own.words,
        )
        starts = np.searchsorted(chosen, self.starts)
        return type(self)(self.paths, index, starts, self.is_mixed)

    def places_of(self, names: set[str]) -> np.ndarray:
        found = []
        ends = np.append(self.starts[1:], len(self))
        for path, start, end in zip(self.paths, self.starts, ends, strict=True):
            if any(name.startswith(f"{self._shard(path)}/") for name in names):
                found += [i for i in range(start, end) if self.name(i) in names]
        self.close()
        return np.array(found, int)

    def close(self) -> None:
        """Closes the shard that this thread has open."""
        _, file = vars(_OPEN).pop("shard", ("", None))
        if file is not None:
            file.close()

    def _shard(self, path):
        """The name of a shard, below the folder that holds all of them."""
        folder = os.path.commonpath([os.path.dirname(path) for path in self.paths])
        return os.path.relpath(path, folder)

    def _path(self, index):
        return self.paths[np.searchsorted(self.starts, index, side="right") - 1]

    def _file(self, path) -> IO[bytes]:
        """An open shard. Images of a batch are read in order, shard by shard."""
        opened = vars(_OPEN).get("shard", ("", None))
        if opened[0] != path:
            self.close()
            # `close` closes it at the end of the batch.
            opened = _OPEN.shard = (path, open(path, "rb", buffering=0))  # noqa: SIM115
        return opened[1]


def mixes_classes(labels: np.ndarray, starts: np.ndarray, share: float = 0.8) -> bool:
    """Whether shards hold nearly as many classes as images at random would.

    Args:
        labels: Integer array `(n,)`.
        starts: Integer array, the first image of each shard.
        share: Float, the least part of the expected number. Defaults to `0.8`.
    """
    sizes = np.diff(np.append(starts, len(labels)))
    shards = np.repeat(np.arange(len(starts)), sizes)
    count = int(labels.max()) + 1
    held = len(np.unique(shards * count + labels))
    portions = np.bincount(labels) / len(labels)
    own, times = np.unique(sizes, return_counts=True)
    expected = sum(
        n * (1 - (1 - portions) ** size).sum()
        for size, n in zip(own, times, strict=True)
    )
    return bool(held >= share * expected)
