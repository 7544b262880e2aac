"""Which image files a run leaves out, kept in its folder."""

import json
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data import ImageFolder, ImageSet
from keras_mixvit.recipes.atomic_files import write_json

NAME = "skipped.json"


def skipped_files(sets: dict[str, ImageSet]) -> dict[str, dict[str, str]]:
    """What was skipped of each split, with the errors.

    Args:
        sets: Dict from splits to `ImageSet`.
    """
    return {
        split: images.images.skipped
        for split, images in sets.items()
        if isinstance(images.images, ImageFolder) and images.images.skipped
    }


def write_skipped(folder: Path, skipped: dict[str, dict[str, str]]) -> None:
    """Writes what was skipped, if anything was.

    Args:
        folder: Path of the folder of a run.
        skipped: What `skipped_files` gave.
    """
    if skipped:
        write_json(folder / NAME, skipped)


def read_skipped(folder: Path) -> dict[str, list[str]]:
    """Names of the files of each split that a run leaves out.

    Args:
        folder: Path of the folder of a run, or of a network in it.

    Raises:
        ValueError: If the list is damaged.
    """
    places = (folder / NAME, folder.parent / NAME)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    try:
        found = json.loads(path.read_text())
        return {split: list(names) for split, names in dict(found).items()}
    except (OSError, ValueError, TypeError) as error:
        require(
            False,
            f"`run` must have an intact {NAME}, which lists the files to leave out.",
            run=str(folder),
            error=str(error),
        )
