"""Where the images of a prediction come from: files, arrays and sets."""

import os
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, NamedTuple

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape
from keras_mixvit.data import ImageSet, ImageSource
from keras_mixvit.data.sources._array_file import ArrayFile
from keras_mixvit.data.sources._file_names import FileNames
from keras_mixvit.data.sources._image_files import image_files
from keras_mixvit.data.sources._resizing import pillow
from keras_mixvit.prediction._pixels import array_pixels, file_pixels, require_fit
from keras_mixvit.prediction._read_ahead import PART, Part
from keras_mixvit.prediction._words import require_there

ARRAYS = (".npz", ".npy")
WANTED = (
    "`images` must be a path of an image file, a folder or an .npz file, a list of "
    "paths, an array (n, H, W, C), or an `ImageSet`."
)


class Files:
    """Image files, by their names below a folder.

    Args:
        names: `FileNames` or list of strings.
        folder: String, where they are. Defaults to `""`.
    """

    def __init__(self, names: FileNames | list[str], folder: str = ""):
        self.names, self.folder = names, folder

    def __len__(self):
        return len(self.names)

    def parts(self, shape: ImageShape, max_pixels: int) -> Iterator[Part]:
        """The images, a few at once."""

        def read(paths):
            return [file_pixels(path, shape, max_pixels) for path in paths]

        for start in range(0, len(self), PART):
            stop = min(start + PART, len(self))
            paths = [
                os.path.join(self.folder, self.names[i]) for i in range(start, stop)
            ]
            yield Part(paths, partial(read, paths))


class Arrays:
    """Images of an array, of a file of one, or of an `ImageSource`.

    Args:
        images: `ArrayFile`, array, or `ImageSource`.
        name: String, what the array is called.
    """

    def __init__(self, images: Any, name: str):
        self.images, self.name = images, name

    def __len__(self):
        return len(self.images)

    def parts(self, shape: ImageShape, max_pixels: int) -> Iterator[Part]:
        """The images, a few at once."""

        def read(chunk):
            return [array_pixels(image, shape) for image in chunk]

        def read_source(start, stop):
            return read(self.images[start:stop])

        starts = range(0, len(self), PART)
        chunks: Iterator[np.ndarray] = iter(())
        if isinstance(self.images, ArrayFile):
            chunks = self.images.chunks(PART)
        for start in starts:
            stop = min(start + PART, len(self))
            names = [f"{self.name}[{i}]" for i in range(start, stop)]
            if not isinstance(self.images, ArrayFile):
                yield Part(names, partial(read_source, start, stop))
                continue
            # What is left of a damaged file has one error.
            try:
                chunk = next(chunks)
            except ValueError as error:
                yield failed(self.name, str(error))
                return
            yield Part(names, partial(read, chunk))


class Failed(NamedTuple):
    """A file of images that cannot be read at all.

    Fields:
        name: String, its path.
        error: String.
    """

    name: str
    error: str

    def __len__(self):
        return 1

    def parts(self, shape: ImageShape, max_pixels: int) -> Iterator[Part]:
        """The file, with its error."""
        yield failed(self.name, self.error)


def failed(name: str, error: str) -> Part:
    """A part of one name that has an error."""
    return Part([name], lambda: [error])


class Inputs:
    """The images of a prediction, in order.

    Args:
        images: What `predict` takes.
        shape: (H, W, C) of the training images.
        dtype: String, the dtype of the training images, or `None` if it is not
            known. Defaults to `None`.

    Raises:
        ValueError: If there are no images, or they are of another kind.
    """

    def __init__(self, images: Any, shape: ImageShape, dtype: str | None = None):
        self.shape, self.dtype = shape, dtype
        if isinstance(images, ImageSet):
            images = images.images
        is_path = isinstance(images, (str, os.PathLike))
        if isinstance(images, (list, tuple)) or is_path:
            paths = [images] if is_path else images
            self.sources = self._of_paths(paths)
        else:
            require(
                isinstance(images, (np.ndarray, ImageSource)),
                WANTED,
                images=type(images).__name__,
            )
            require_fit(images, shape, "images")
            self.sources = [Arrays(images, "images")]

    def __len__(self):
        return sum(map(len, self.sources))

    def parts(self, max_pixels: int) -> Iterator[Part]:
        """All images, a few at once.

        Args:
            max_pixels: Positive integer, how many pixels a file may have.
        """
        parts = (source.parts(self.shape, max_pixels) for source in self.sources)
        return chain.from_iterable(parts)

    def _of_paths(self, paths: Sequence) -> list:
        require(
            len(paths) > 0 and all(isinstance(p, (str, os.PathLike)) for p in paths),
            WANTED,
            images=[type(path).__name__ for path in paths][:3],
        )
        sources: list = []
        for path in map(os.fspath, paths):
            require_there(path)
            if path.lower().endswith(ARRAYS) and os.path.isfile(path):
                sources.append(self._of_array(path))
                continue
            self._require_bytes(path)
            if os.path.isdir(path):
                names = FileNames(image_files(path))
                require(len(names) > 0, "`images` must hold image files.", images=path)
                sources.append(Files(names, path))
            elif sources and isinstance(sources[-1], list):
                sources[-1].append(path)
            else:
                sources.append([path])
        # Neighbours are read together.
        return [Files(each) if isinstance(each, list) else each for each in sources]

    def _of_array(self, path):
        try:
            images = ArrayFile(path)
        except ValueError as error:
            if "intact" not in str(error):
                raise
            return Failed(path, str(error))
        require_fit(images, self.shape, path)
        return Arrays(images, path)

    def _require_bytes(self, path):
        """Image files have no scale of their own, and need Pillow."""
        require(
            self.dtype in (None, "uint8"),
            "`images` must be arrays, on the scale of the training images, because "
            f"these were {self.dtype} arrays, not files.",
            images=path,
        )
        pillow()
