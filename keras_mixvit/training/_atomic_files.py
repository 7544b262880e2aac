"""Writes files completely or not at all: to a temporary file, which is then renamed."""

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """A temporary path to write to, which replaces `path` at the end.

    After a failure, the old file is still there.

    Args:
        path: Path of the file.

    Raises:
        OSError: If the file cannot be written; the message says why.
    """
    # Keeps the suffix, which Keras needs.
    partial = path.with_name(f"partial-{path.name}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(partial, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise OSError(
            f"{path} could not be written ({_reason(error)}); the file saved before "
            "is kept."
        ) from error
    finally:
        # This may fail, too, on a disk that is full or gone.
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)


def write_json(path: Path, content) -> None:
    """Writes a JSON file, completely or not at all."""
    write_text(path, json.dumps(content, indent=2, allow_nan=False) + "\n")


def write_text(path: Path, text: str) -> None:
    """Writes a text file, completely or not at all."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def save_model(model, path: Path) -> None:
    """Writes a `.keras` file, completely or not at all."""
    with replacing(path) as partial:
        model.save(partial)


def _reason(error):
    return os.strerror(error.errno) if error.errno else str(error)


def _sync_folder(folder):
    # A rename is on the disk only after its folder; Windows cannot open folders.
    if os.name != "nt":
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
