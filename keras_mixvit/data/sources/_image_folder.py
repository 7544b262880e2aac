import os
from collections.abc import Iterable

import numpy as np

from keras_mixvit._checks import (
    require,
    require_choice,
    require_image_size,
    require_path,
)
from keras_mixvit.data.sources._file_names import FileNames
from keras_mixvit.data.sources._image_files import (
    GREY_MODES,
    decoded,
    header_of,
    image_files,
)
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.data.sources._resizing import pillow

SAMPLED_HEADERS = 1024


class ImageFolder(ImageSource):
    """Image files, which Pillow decodes on demand.

    Sizes and colours come from the headers of 1,024 files, drawn with a fixed
    seed; a file that differs raises an error when it is read. Images are turned
    upright by their EXIF orientation. Among images in colour, grey ones become
    RGB. Transparent images are composited on white, 16 bits per pixel become 8
    (`round(value / 257)`), and of several frames only the first is read.

    Args:
        folder: Path of a folder.
        files: Iterable of names below `folder`, or `None` for all image files
            below it, in the order of their names. Defaults to `None`.
        image_size: Integer, or tuple of integers (H, W), to which images are
            resized, or `None` where all are of one size. Defaults to `None`.
        channels: `1`, `3`, or `None` for 1 where all images are grey, else 3.
            Defaults to `None`.
        resize_share: See `ImageSource`. Defaults to `None`.

    Raises:
        ValueError: If there is no image, or images differ in size and
            `image_size` is `None`; when read, if a file is not an intact
            image, naming it.

    Example:

    ```python
    Path("photos").mkdir()
    keras.utils.save_img("photos/1.png", np.zeros((40, 60, 3)), scale=False)
    keras.utils.save_img("photos/2.png", np.zeros((50, 50, 3)), scale=False)
    photos = ImageFolder("photos", image_size=(32, 32))
    assert photos.shape == (2, 32, 32, 3) and photos.varies
    ```
    """

    def __init__(
        self,
        folder: str | os.PathLike,
        files: Iterable[str] | None = None,
        image_size: int | tuple[int, int] | None = None,
        channels: int | None = None,
        resize_share: float | None = None,
    ):
        require_path("folder", folder)
        size = require_image_size(image_size)
        self.folder = os.fspath(folder)
        require(
            os.path.isdir(folder),
            "`folder` must be an existing folder.",
            folder=self.folder,
        )
        if not isinstance(files, FileNames):
            files = FileNames(image_files(folder) if files is None else _names(files))
        self.files = files
        self.skipped: dict[str, str] = {}
        require(len(files) > 0, "`folder` must hold image files.", folder=self.folder)
        require_choice("channels", channels, (1, 3, None))
        sizes, found_channels = self._sample()
        self._is_resized = size is not None
        if size is None:
            require(
                len(sizes) == 1,
                "`image_size` must be given where images differ in size.",
                sizes=sorted(sizes)[:3],
            )
            (size,) = sizes
        super().__init__(
            (*size, channels or found_channels),
            varies=sizes != {size},
            resize_share=resize_share,
        )
        self.channels = self.image_shape[2]

    def __len__(self):
        return len(self.files)

    def path(self, index: int) -> str:
        """Path of a file."""
        return os.path.join(self.folder, self.files[index])

    def original(self, index: int) -> np.ndarray:
        path = self.path(index)
        pixels = decoded(path, path, self.channels)
        require(
            self._is_resized or pixels.shape[:2] == self.image_shape[:2],
            "`image_size` must be given where images differ in size.",
            file=path,
            size=pixels.shape[:2],
            others=self.image_shape[:2],
        )
        return pixels

    def _sample(self):
        """Sizes (H, W), and channels, of some files."""
        Image = pillow()
        count = min(len(self), SAMPLED_HEADERS)
        chosen = np.random.default_rng(0).choice(len(self), count, replace=False)
        sizes, has_colour, failure = set(), False, None
        for index in np.sort(chosen):
            try:
                with Image.open(self.path(index)) as image:
                    header = header_of(image)
                sizes.add(header.size)
                has_colour |= header.mode not in GREY_MODES
            except Exception as error:
                # A later read of this file raises the error.
                failure = failure or (self.path(index), error)
        require(
            bool(sizes),
            "`folder` must hold intact image files.",
            file=failure and failure[0],
            error=failure and str(failure[1]),
        )
        return sizes, 3 if has_colour else 1


def _names(files):
    """Names that a user gives, one after the other."""
    is_iterable = isinstance(files, Iterable) and not isinstance(files, (str, bytes))
    text = "`files` must be names of files below `folder`, or None."
    require(is_iterable, text, files=files)
    for name in files:
        require(isinstance(name, (str, os.PathLike)), text, name=name)
        yield name
