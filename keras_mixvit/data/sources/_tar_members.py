"""Reads the headers of .tar files, and the files in them by their place."""

import contextlib
import tarfile
from collections.abc import Iterator
from typing import IO, Any

from keras_mixvit.data.sources._image_files import is_hidden

BLOCK = 512
# Of numbers in a damaged header.
TOO_LARGE = (ArithmeticError, MemoryError)


def members(file: IO[bytes], path: str) -> Iterator[tarfile.TarInfo]:
    """Every member of a .tar file, in order; none is kept in memory.

    Args:
        file: File object at the start of the file.
        path: String, what an error calls it.

    Raises:
        ValueError: If the file is damaged or its end is missing.
    """
    try:
        with contextlib.closing(tarfile.open(fileobj=file, mode="r:")) as opened:
            tar: Any = opened
            before = -1
            while (member := tar.next()) is not None:
                tar.members.clear()
                if tar.offset <= before:
                    raise tarfile.ReadError("a header points backwards")
                before = tar.offset
                yield member
            # What tarfile takes for the end may be a damaged header.
            file.seek(tar.offset)
            if file.read(BLOCK) != bytes(BLOCK):
                raise tarfile.ReadError("its end is missing, or its middle is damaged")
    except (tarfile.TarError, OSError, ValueError, *TOO_LARGE) as error:
        raise ValueError(
            "Shards must be intact .tar files, not compressed. Received: "
            f"shard={path!r}, error={str(error)!r}"
        ) from error


def member_at(file: IO[bytes], offset: int) -> tarfile.TarInfo | None:
    """The member whose header begins at a place, or `None` if there is none."""
    file.seek(offset)
    try:
        with contextlib.closing(tarfile.TarFile(fileobj=file)) as tar:
            return tar.next()
    except (tarfile.TarError, OSError, ValueError, *TOO_LARGE):
        return None


def key_of(name: str) -> tuple[str, str]:
    """The key of a member and what follows, as WebDataset cuts a name.

    The first dot behind the last slash ends the key: `a/b.seg.png` has the key
    `a/b` and the ending `seg.png`. No key is used as a path.

    Returns:
        Two strings, the second one in lower case; `""` for hidden files, and for
        names without an ending.
    """
    folder, slash, last = name.rpartition("/")
    if is_hidden(last):
        return name, ""
    base, _, ending = last.partition(".")
    return f"{folder}{slash}{base}", ending.lower()
