import os
from collections.abc import Iterable

from keras_mixvit._checks import require, require_image_size, require_path
from keras_mixvit.data.sources._file_names import FileNames
from keras_mixvit.data.sources._image_files import image_files
from keras_mixvit.data.sources._stored_images import StoredImages


class ImageFolder(StoredImages):
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
        super().__init__("folder", self.folder, size, channels, resize_share)

    def __len__(self):
        return len(self.files)

    def path(self, index: int) -> str:
        """Path of a file."""
        return os.path.join(self.folder, self.files[index])

    def file(self, index: int) -> str:
        return self.path(index)

    def item(self, index: int) -> str:
        return self.path(index)


def _names(files):
    """Names that a user gives, one after the other."""
    is_iterable = isinstance(files, Iterable) and not isinstance(files, (str, bytes))
    text = "`files` must be names of files below `folder`, or None."
    require(is_iterable, text, files=files)
    for name in files:
        require(isinstance(name, (str, os.PathLike)), text, name=name)
        yield name
