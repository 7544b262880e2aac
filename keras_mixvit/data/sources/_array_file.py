"""Arrays of images in `.npz` and `.npy` files, read in order, a few images at once."""

import contextlib
import os
import zipfile
from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_mixvit._checks import require

# Names of the array of a file that holds several; the first that is there is taken.
NAMES = ("images", "x", "x_test")


class ArrayFile:
    """The images of a `.npz` or `.npy` file, which are never all in memory.

    Args:
        path: Path of the file.

    Attributes:
        shape: Tuple of integers, that of the array.
        dtype: NumPy dtype.
        names: List of the names of the arrays in an `.npz` file.

    Raises:
        ValueError: If the file is damaged, holds pickled objects, or several arrays
            of which none has one of `NAMES`.
    """

    def __init__(self, path: str | os.PathLike):
        self.path, self.key = str(path), ""
        self.names: list[str] = []
        try:
            self._choose()
            with self._opened() as file:
                self.shape, self.is_fortran, self.dtype = _header(file)
        except Exception as error:
            if "`images` must" in str(error):
                raise
            raise self._damaged(error) from error
        require(
            not self.dtype.hasobject,
            "`images` must be an .npz file without pickled objects.",
            images=self.path,
        )

    def __len__(self):
        return self.shape[0]

    def chunks(self, size: int) -> Iterator[np.ndarray]:
        """The images in order, so many at once.

        Args:
            size: Positive integer.

        Raises:
            ValueError: If the file is damaged.
        """
        if self.is_fortran:
            # Its images are no pieces of the file.
            images = self.whole()
            for start in range(0, len(images), size):
                yield np.ascontiguousarray(images[start : start + size])
            return
        with self._opened() as file:
            _header(file)
            for start in range(0, len(self), size):
                shape = (min(size, len(self) - start), *self.shape[1:])
                yield self._read(file, shape)

    def _read(self, file, shape):
        count = int(np.prod(shape)) * self.dtype.itemsize
        try:
            content = file.read(count)
            require(len(content) == count, "The file ends too early.", file=self.path)
            return np.frombuffer(content, self.dtype).reshape(shape)
        except Exception as error:
            raise self._damaged(error) from error

    def whole(self) -> np.ndarray:
        """All images at once.

        Raises:
            ValueError: If the file is damaged.
        """
        try:
            with self._opened() as file:
                return np.lib.format.read_array(file, allow_pickle=False)
        except Exception as error:
            raise self._damaged(error) from error

    def _choose(self):
        if self.path.lower().endswith(".npy"):
            return
        with zipfile.ZipFile(self.path) as archive:
            held = [n[:-4] for n in archive.namelist() if n.endswith(".npy")]
        self.names = held
        named = [name for name in NAMES if name in held]
        require(
            len(held) == 1 or named,
            "`images` must be an .npz file of one array, or with one of the names "
            f"{', '.join(map(repr, NAMES))}.",
            images=self.path,
            arrays=held[:9],
        )
        self.key = named[0] if named else held[0]

    @contextlib.contextmanager
    def _opened(self) -> Iterator[Any]:
        if not self.key:
            with open(self.path, "rb") as file:
                yield file
            return
        with (
            zipfile.ZipFile(self.path) as archive,
            archive.open(f"{self.key}.npy") as file,
        ):
            yield file

    def _damaged(self, error):
        return ValueError(
            "`images` must be an intact .npz file without pickled objects. Received: "
            f"images={self.path!r}, error={f'{type(error).__name__}: {error}'!r}"
        )


def _header(file):
    """Shape, whether columns come first, and dtype."""
    version = np.lib.format.read_magic(file)
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    require(version in read, "The version of the array must be known.", version=version)
    return read[version](file)
