"""The words of the command that name runs, and those that name images."""

import os
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.training._found_runs import model_file


def is_run(word: str) -> bool:
    """Whether a word names a run: a `.keras` file, or a folder with a model.keras."""
    return word.endswith(".keras") or (Path(word) / "model.keras").is_file()


def runs_and_images(words: list[str]) -> tuple[list[str], list[str]]:
    """The first words, which name runs, and the others, which name images.

    The first word is always meant as a run.

    Args:
        words: List of strings.

    Raises:
        ValueError: If the first word names no run, none names images, a run comes
            after images, or nothing has one of the names.
    """
    model_file(words[0])
    count = 1
    while count < len(words) and is_run(words[count]):
        model_file(words[count])
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
            "`runs` must come before `images`; a folder with a model.keras is a run.",
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
