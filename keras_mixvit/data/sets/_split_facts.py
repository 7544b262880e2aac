from dataclasses import dataclass


@dataclass(frozen=True)
class SplitFacts:
    """What one split holds.

    Args:
        images: Integer, images that can be read.
        classes: Dict from the name of each class to its number of images.
        height: Tuple of integers, the least, the median and the greatest, or
            `None` where no image can be read.
        width: Tuple of integers, likewise.
        colours: Dict from colour modes, or dtypes and channels, to numbers of
            images.
        turned: Integer, photos that the EXIF orientation turns. Defaults to `0`.
        damaged: Dict from names of files to their errors, or `None` for no
            files. Defaults to `None`.
        ignored: Dict from suffixes to numbers of files that are not images, or
            `None` for no files. Defaults to `None`.
        repeated: Integer, images whose pixels the split has already. Defaults to
            `0`.

    Example:

    ```python
    facts = SplitFacts(1, {"cat": 1}, (8, 8, 8), (8, 8, 8), {"RGB": 1})
    assert not facts.damaged
    ```
    """

    images: int
    classes: dict[str, int]
    height: tuple[int, int, int] | None
    width: tuple[int, int, int] | None
    colours: dict[str, int]
    turned: int = 0
    damaged: dict[str, str] | None = None
    ignored: dict[str, int] | None = None
    repeated: int = 0
