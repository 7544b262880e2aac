import os
from collections.abc import Iterable, Iterator

import numpy as np

from keras_mixvit._checks import require, require_choice
from keras_mixvit.data.file_names import FileNames
from keras_mixvit.data.image_source import ImageSource
from keras_mixvit.data.resizing import pillow

EXTENSIONS = (
    *(".bmp", ".gif", ".jpeg", ".jpg", ".pgm", ".png", ".ppm"),
    *(".tif", ".tiff", ".webp"),
)
GREY_MODES = ("1", "L", "LA", "La")
# Of 16 and 32 bits a channel: Pillow would clip them at 255.
DEEP_MODES = ("I", "F", "I;16", "I;16B", "I;16L", "I;16N")
SAMPLED_HEADERS = 1024


class ImageFolder(ImageSource):
    """Image files, decoded by Pillow when they are asked for.

    Sizes and colours are those of the headers of 1,024 files, drawn with a
    fixed seed; a file that is otherwise is refused when it is read. Among
    images in colour, grey ones become RGB; alpha is dropped. The orientation
    that a camera noted is not applied.

    Args:
        folder: Path of a folder.
        files: Iterable of names below `folder`, or `None` for all image files
            below it, in the order of their names. Defaults to `None`.
        image_size: Tuple of integers (H, W) to which images are resized, or
            `None` where all are of one size. Defaults to `None`.
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
        image_size: tuple[int, int] | None = None,
        channels: int | None = None,
        resize_share: float | None = None,
    ):
        self.folder = os.fspath(folder)
        if not isinstance(files, FileNames):
            files = FileNames(image_files(folder) if files is None else files)
        self.files = files
        require(len(files) > 0, "`folder` must hold image files.", folder=self.folder)
        require_choice("channels", channels, (1, 3, None))
        sizes, found_channels = self._sample()
        self._is_resized = image_size is not None
        if image_size is None:
            require(
                len(sizes) == 1,
                "`image_size` must be given where images differ in size.",
                sizes=sorted(sizes)[:3],
            )
            (image_size,) = sizes
        image_size = tuple(image_size)
        super().__init__(
            (*image_size, channels or found_channels),
            varies=sizes != {image_size},
            resize_share=resize_share,
        )
        self.channels = self.image_shape[2]

    def __len__(self):
        return len(self.files)

    def path(self, index: int) -> str:
        """Path of a file."""
        return os.path.join(self.folder, self.files[index])

    def original(self, index):
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
                    sizes.add((image.height, image.width))
                    has_colour |= image.mode not in GREY_MODES
            except Exception as error:
                # Reading it, if it is ever read, tells.
                failure = failure or (self.path(index), error)
        require(
            bool(sizes),
            "`folder` must hold intact image files.",
            file=failure and failure[0],
            error=failure and str(failure[1]),
        )
        return sizes, 3 if has_colour else 1


def image_files(folder) -> Iterator[str]:
    """Names of all image files below a folder, in order; none that is hidden."""
    # Entries know whether they are files without a further look at the disk.
    with os.scandir(folder) as entries:
        entries = sorted(entries, key=lambda entry: entry.name)
    for entry in entries:
        name = entry.name
        if name.startswith("."):
            continue
        if entry.is_dir():
            yield from (os.path.join(name, found) for found in image_files(entry.path))
        elif name.lower().endswith(EXTENSIONS):
            yield name


def decoded(file, name: str, channels: int) -> np.ndarray:
    """Pixels of an image file.

    Args:
        file: Path, or file object.
        name: What an error calls it.
        channels: 1 or 3.

    Returns:
        uint8 array `(h, w, channels)`.

    Raises:
        ValueError: If it is no intact image of 8 bits a channel, or is in
            colour where one channel is wanted.
    """
    Image = pillow()
    try:
        with Image.open(file) as image:
            mode, wanted = image.mode, "RGB" if channels == 3 else "L"
            pixels = np.asarray(image if mode == wanted else image.convert(wanted))
    except Exception as error:
        raise ValueError(
            'Image files must be intact; `on_error="skip"` leaves others out. '
            f"Received: file={name!r}, error={str(error)!r}"
        ) from error
    require(
        mode not in DEEP_MODES,
        "Image files must have 8 bits a channel.",
        file=name,
        mode=mode,
    )
    require(
        channels == 3 or mode in GREY_MODES,
        "Image files must be grey where the others are; `channels=3` makes all RGB.",
        file=name,
        mode=mode,
    )
    return pixels[..., None] if channels == 1 else pixels
