"""Checks of run folders and their files that need no Keras."""

from pathlib import Path

from keras_mixvit._checks import require, require_choice, require_path
from keras_mixvit._export_formats import EXPORT_FORMATS, FORMATS

RECIPE = "recipe.toml"
# Versions before 0.2 wrote the settings of a run here.
FORMER = ("recipe.json", "options.json")
RESULT = "result.json"
DEFAULT_NAMES = {
    "keras": "model.keras",
    "preset": "preset",
    **{format: f"model{suffix}" for format, (_, suffix, _) in FORMATS.items()},
}


def require_run(run) -> Path:
    """The folder of a run, which must hold a recipe.

    Args:
        run: Path of the folder.

    Raises:
        ValueError: If it holds none.
    """
    require_path("run", run)
    folder = Path(run)
    is_there = (folder / RECIPE).is_file()
    require(
        is_there or not any((folder / name).is_file() for name in FORMER),
        f"`run` must hold a {RECIPE}. This run is of version 0.1, whose recipes "
        "had other fields: train it again, or use keras_mixvit 0.1.",
        run=str(folder),
    )
    require(
        is_there,
        f"`run` must be the folder of a run, which holds a {RECIPE}.",
        run=str(folder),
    )
    return folder


def require_finished(run) -> Path:
    """The folder of a finished run.

    Args:
        run: Path of the folder.

    Raises:
        ValueError: If the folder does not hold a run, or the run is not finished.
    """
    folder = require_run(run)
    require(
        (folder / RESULT).is_file(),
        "`runs` must be finished; `keras-mixvit resume RUN` finishes one.",
        run=str(run),
    )
    return folder


def model_file(run) -> Path:
    """The file of the model of a run.

    Args:
        run: Path of the run folder, or of a `.keras` file.

    Raises:
        ValueError: If there is no such file.
    """
    require_path("run", run)
    file = Path(run)
    if file.is_dir():
        file = file / "model.keras"
    hint = ""
    if (file.parent / RECIPE).is_file() and not (file.parent / RESULT).is_file():
        hint = f" It is not finished: `keras-mixvit resume {file.parent}` finishes it."
    require(file.is_file(), f"`run` must hold a model.keras.{hint}", run=run)
    return file


def export_path(run, format: str, output: str | None) -> Path:
    """The path to which `export` writes.

    Args:
        run: As in `export`.
        format: As in `export`.
        output: As in `export`.

    Raises:
        ValueError: If there is no such run or format, or the path exists.
    """
    require_choice("format", format, EXPORT_FORMATS)
    file = model_file(run)
    path = file.parent / "export" / DEFAULT_NAMES[format]
    if output is not None:
        path = Path(output)
    require(
        not path.exists(),
        "`output` must not exist.",
        output=str(path),
    )
    require(
        format != "keras" or path.suffix == ".keras",
        "`output` must end in .keras.",
        output=output,
    )
    return path


def require_export_options(format: str, image_dtype: str, license) -> None:
    """Requires options of `export` that fit its format.

    Args:
        format: As in `export`.
        image_dtype: As in `export`.
        license: As in `export`.

    Raises:
        ValueError: If a preset is to take bytes, or another format has a license.
    """
    require(
        format != "preset" or image_dtype == "float32",
        "`image_dtype` must be 'float32' for a preset, which is the network itself.",
        image_dtype=image_dtype,
    )
    require(
        format == "preset" or license is None,
        "`license` must not be set, except for a preset.",
        format=format,
        license=license,
    )
