"""What image files hold: their names, headers and pixels."""

import os
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._resizing import pillow

EXTENSIONS = (
    *(".apng", ".bmp", ".gif", ".jfif", ".jpe", ".jpeg", ".jpg", ".pbm", ".pgm"),
    *(".png", ".ppm", ".tif", ".tiff", ".webp"),
)
GREY_MODES = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
# Of 16 bits a pixel; Pillow opens some as 32 bits.
DEEP_MODES = ("I", "I;16", "I;16B", "I;16L", "I;16N")
ORIENTATION = 0x0112
# A folder that macOS adds to archives.
NOT_OF_USERS = ("__MACOSX",)


class Header(NamedTuple):
    """What the header of an image file says.

    Fields:
        size: Tuple of integers (H, W), of the upright image.
        mode: String, Pillow's name for its colours.
        orientation: Integer from 1 to 8, the EXIF orientation; 1 is upright.
    """

    size: tuple[int, int]
    mode: str
    orientation: int


def is_hidden(name: str) -> bool:
    """Whether a name is that of a hidden file or folder."""
    return name.startswith(".") or name in NOT_OF_USERS


def image_files(folder) -> Iterator[str]:
    """Names of all image files below a folder, in order, without hidden ones.

    Args:
        folder: Path.

    Raises:
        ValueError: If a link leads to a folder above itself.
    """
    for name in files_below(folder):
        if name.lower().endswith(EXTENSIONS):
            yield name


def files_below(folder, above: tuple[str, ...] = ()) -> Iterator[str]:
    """Names of all files below a folder, in order, without hidden ones."""
    # Entries know whether they are files without a further look at the disk.
    with os.scandir(folder) as found:
        entries = sorted(found, key=lambda entry: entry.name)
    above = (*above, os.path.realpath(folder))
    for entry in entries:
        name = entry.name
        if is_hidden(name):
            continue
        if not entry.is_dir():
            yield name
            continue
        require(
            not entry.is_symlink() or os.path.realpath(entry.path) not in above,
            "A folder of images must not hold a link to a folder above it.",
            link=entry.path,
        )
        yield from (
            os.path.join(name, found) for found in files_below(entry.path, above)
        )


def header_of(image) -> Header:
    """The header of an image that Pillow opened.

    Args:
        image: `PIL.Image.Image`, not loaded yet.
    """
    turn = orientation_of(image)
    width, height = image.size
    size = (width, height) if is_sideways(image, turn) else (height, width)
    return Header(size, image.mode, turn)


def is_sideways(image, turn: int) -> bool:
    """Whether the orientation swaps height and width; Pillow turns TIFFs itself."""
    return turn > 4 and image.format != "TIFF"


def orientation_of(image) -> int:
    """The EXIF orientation of an image; 1 if it is missing or damaged."""
    try:
        # Pillow would decode a whole PNG in search of it.
        if image.format == "PNG" and "exif" not in image.info:
            return 1
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:
        # Such a block is of no use, and the pixels may be intact.
        return 1
    return turn if turn in range(1, 9) else 1


def decoded(file, name: str | Callable[[], str], channels: int) -> np.ndarray:
    """Pixels of an image file, upright.

    * The first of several frames or pages is read.
    * The EXIF orientation is applied, unless it is damaged.
    * Transparent pixels are composited on white.
    * 16 bits per pixel become 8 by `round(value / 257)`: 0 stays 0 and
      65,535 becomes 255, in every image.
    * CMYK and other colours become RGB by Pillow's conversions.

    Args:
        file: Path, or file object.
        name: What an error calls it, or a function that gives it.
        channels: 1 or 3.

    Returns:
        uint8 array `(h, w, channels)`.

    Raises:
        ValueError: If it is damaged or not an image, has pixels of other than 8
            or 16 bits, or is in colour although `channels` is 1.
    """
    try:
        pixels, mode = stored(file, channels)
    except Exception as error:
        raise damage(name, error) from error
    requirement = None
    if pixels is None:
        requirement = "Image files must have 8 or 16 bits a channel."
    elif channels == 1 and mode not in GREY_MODES:
        requirement = (
            "Image files must be grey if the others are; `channels=3` makes all RGB."
        )
    if requirement is not None:
        require(False, requirement, file=called(name), mode=mode)
    return pixels


def called(name: str | Callable[[], str]) -> str:
    """A name, or what a function gives; to find it may take reading."""
    return name if isinstance(name, str) else name()


def damage(name: str | Callable[[], str], error: Exception) -> ValueError:
    """The error about a damaged image file."""
    return ValueError(
        'Image files must be intact; `on_error="skip"`, or --on-error skip, leaves '
        f"others out. Received: file={called(name)!r}, error={reason(error)!r}"
    )


def reason(error: BaseException) -> str:
    """What is wrong with an image file, in words."""
    # Pillow would name a place in memory.
    is_none = "<_io.BytesIO object" in str(error)
    return "this is no image" if is_none else str(error)


def stored(
    file, channels: int, check: Callable[[Any], None] | None = None
) -> tuple[Any, str]:
    """Pixels of an image file, upright, and Pillow's name for its colours.

    Args:
        file: Path, or file object.
        channels: 1 or 3, to which any colours are converted.
        check: Function of the `PIL.Image.Image`, called before pixels are decoded,
            which raises an error to refuse it; or `None`. Defaults to `None`.

    Returns:
        uint8 array `(h, w, channels)`, or `None` of other than 8 or 16 bits, and a
        string.
    """
    Image = pillow()
    with Image.open(file) as image:
        if check is not None:
            check(image)
        mode, turn = image.mode, orientation_of(image)
        is_tiff = image.format == "TIFF"
        pixels = pixels_of(image, channels)
    if pixels is None:
        return None, mode
    # Pillow turns TIFFs itself.
    return np.ascontiguousarray(pixels if is_tiff else upright(pixels, turn)), mode


def pixels_of(image, channels: int) -> Any:
    """Pixels `(h, w, channels)` as stored, or `None` of other than 8 or 16 bits."""
    Image = pillow()
    image.load()
    if image.mode in DEEP_MODES:
        deep = np.asarray(image).astype("int64")
        if deep.size and not 0 <= deep.min() <= deep.max() < 2**16:
            return None
        grey = ((deep + 128) // 257).astype("uint8")
        return np.repeat(grey[..., None], channels, axis=2)
    if image.mode == "F":
        return None
    if image.has_transparency_data:
        image = image.convert("RGBA")
        white = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(white, image)
    wanted = "RGB" if channels == 3 else "L"
    pixels = np.asarray(image if image.mode == wanted else image.convert(wanted))
    return pixels[..., None] if channels == 1 else pixels


def upright(pixels: np.ndarray, turn: int) -> np.ndarray:
    """Pixels `(h, w, C)`, turned by an EXIF orientation of 1 to 8."""
    if turn > 4:
        pixels = pixels.transpose(1, 0, 2)
    # Where the first row and the first column of the stored image belong.
    if turn in (3, 4, 7, 8):
        pixels = pixels[::-1]
    if turn in (2, 3, 6, 7):
        pixels = pixels[:, ::-1]
    return pixels
