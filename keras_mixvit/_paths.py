"""Decides whether a string is a name or a path, and whether a folder is new."""

import os
from pathlib import Path

from keras_mixvit._checks import require

# Suffixes of files with images or weights, and of archives.
SUFFIXES = (
    *(".npz", ".npy", ".keras", ".safetensors"),
    *(".zip", ".tar", ".tar.gz", ".tgz"),
)
# The prefix of a repository of the Hugging Face hub, as in Keras, and the files of
# a network there or in a folder.
HUB = "hf://"
PRESET_FILES = ("config.json", "model.safetensors")
SEPARATORS = tuple({"/", os.sep, os.altsep or os.sep})


def is_path(text: str | os.PathLike) -> bool:
    """Whether a string is a path, and not a name.

    A path contains a separator, ends in the suffix of a file, or is `"."` or `".."`.
    Existing files do not matter, so a name means the same in every working directory.

    Args:
        text: String, or `os.PathLike`, which is always a path.
    """
    if isinstance(text, os.PathLike):
        return True
    return (
        any(separator in text for separator in SEPARATORS)
        or text.lower().endswith(SUFFIXES)
        or text in (os.curdir, os.pardir)
    )


def path_hint(name: str, folder: str | os.PathLike | None = None) -> str:
    """The end of an error about an unknown name: how to write it as a path.

    Args:
        name: String that is not a path.
        folder: Path of the folder that would hold it, or `None` for the working
            directory. Defaults to `None`.

    Returns:
        A sentence with a leading space, or `""` if nothing has that name.
    """
    if not name or not os.path.exists(os.path.join(folder or "", name)):
        return ""
    return f" Write './{name}' to name the file or folder {name!r}."


def require_new_folder(name: str, value: str | os.PathLike) -> Path:
    """The path of a new or empty folder.

    Args:
        name: String, the name of the argument.
        value: Path of the folder.

    Raises:
        ValueError: If the path is something else.
    """
    folder = Path(value)
    require(
        not folder.exists() or (folder.is_dir() and not any(folder.iterdir())),
        f"`{name}` must be a new or empty folder.",
        **{name: str(folder)},
    )
    return folder
