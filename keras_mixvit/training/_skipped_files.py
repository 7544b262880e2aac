"""The list of image files that a run skips, stored in its folder."""

from pathlib import Path

from keras_mixvit.data import ImageSet
from keras_mixvit.data.sources._stored_images import StoredImages
from keras_mixvit.training._atomic_files import write_json
from keras_mixvit.training._run_files import read_json, require_entry

NAME = "skipped.json"


def skipped_files(sets: dict[str, ImageSet]) -> dict[str, dict[str, str]]:
    """The skipped files of each split, with their errors.

    Args:
        sets: Dict from splits to `ImageSet`.
    """
    return {
        split: images.images.skipped
        for split, images in sets.items()
        if isinstance(images.images, StoredImages) and images.images.skipped
    }


def write_skipped(folder: Path, skipped: dict[str, dict[str, str]]) -> None:
    """Writes the list of skipped files, if there are any.

    Args:
        folder: Path of the folder of a run.
        skipped: Dict that `skipped_files` returned.
    """
    if skipped:
        write_json(folder / NAME, skipped)


def read_skipped(folder: Path) -> dict[str, list[str]]:
    """The names of the files that a run skips, by split.

    Args:
        folder: Path of the folder of a run, or of a network in it.

    Raises:
        ValueError: If the list is damaged.
    """
    places = (folder / NAME, folder.parent / NAME)
    path = next((place for place in places if place.is_file()), None)
    if path is None:
        return {}
    found = read_json(path)
    require_entry(
        path,
        # Older runs have lists of names without errors.
        all(isinstance(names, (dict, list)) for names in found.values())
        and all(isinstance(name, str) for names in found.values() for name in names),
        "the files of each split to skip",
        found,
    )
    return {split: list(names) for split, names in found.items()}
