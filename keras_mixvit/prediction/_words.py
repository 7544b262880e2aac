"""The words of the command that name runs, and those that name images."""

import os
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit._paths import HUB, PRESET_FILES
from keras_mixvit.training._found_runs import model_file


def is_preset_word(word: str | os.PathLike) -> bool:
    """Whether a word names a preset: one of the hub, or a folder of one.

    The folder of a run may hold an export, so a `model.keras` in it comes first.
    """
    if str(word).startswith(HUB):
        return True
    folder = Path(word)
    is_whole = all((folder / name).is_file() for name in PRESET_FILES)
    return is_whole and not (folder / "model.keras").is_file()


def is_run(word: str) -> bool:
    """Whether a word names a `.keras` file, a folder with one, or a preset."""
    is_file = word.endswith(".keras") or (Path(word) / "model.keras").is_file()
    return is_file or is_preset_word(word)


def run_place(word: str) -> str:
    """The name or whole path of a run, or of a preset, which is read later.

    Args:
        word: String.

    Raises:
        ValueError: If there is no such run.
    """
    if word.startswith(HUB):
        return word
    file = Path(word) if is_preset_word(word) else model_file(word)
    return str(file.resolve())


def runs_and_images(words: list[str]) -> tuple[list[str], list[str]]:
    """The first words, which name runs, and the others, which name images.

    The first word is always meant as a run.

    Args:
        words: List of strings.

    Raises:
        ValueError: If the first word names no run, none names images, a run comes
            after images, or nothing has one of the names.
    """
    run_place(words[0])
    count = 1
    while count < len(words) and is_run(words[count]):
        run_place(words[count])
        count += 1
    runs, images = words[:count], words[count:]
    require(
        len(images) > 0,
        "`images` must name an image file, a folder or an .npz file, after the runs.",
        runs=runs,
        images=images,
    )
    for word in images:
        require(
            not is_run(word),
            "`runs` must come before `images`; a folder with a model.keras, or with a "
            "preset, is a run.",
            run=word,
            images=images[: images.index(word)],
        )
        require_there(word)
    return runs, images


def require_there(word: str | os.PathLike) -> None:
    """Requires a file or folder of images to be there."""
    require(
        os.path.exists(word),
        "`images` must be image files, folders or .npz files that exist.",
        images=str(word),
    )
