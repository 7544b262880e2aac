"""What a model card says about the run that trained a model."""

from pathlib import Path
from typing import Any

from keras_mixvit._published_paths import without_folders
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_file import recipe_text
from keras_mixvit.training._found_runs import RECIPE, RESULT
from keras_mixvit.training._run_files import read_json, read_result
from keras_mixvit.training._run_settings import RunSettings


def run_description(folder: Path) -> str:
    """Markdown about data, recipe, results and cost of a finished run.

    Args:
        folder: Path of the run.

    Returns:
        String, `""` if the folder holds no finished run.
    """
    if not (folder / RECIPE).is_file() or not (folder / RESULT).is_file():
        return ""
    read_result(folder / RESULT)
    result: dict[str, Any] = read_json(folder / RESULT)
    # The card is published: it must not tell where the files of this machine are.
    values = without_folders(RunSettings.read(folder).recipe.to_dict())
    recipe = Recipe.from_dict(values)
    return "\n".join(
        [
            "## Training\n",
            _sentence(result, recipe),
            "\n```toml",
            recipe_text(recipe).strip(),
            "```\n",
            "Save this as `recipe.toml`, then `keras-mixvit train recipe.toml` repeats "
            "it.\n",
            "## Results\n",
            _results(result),
        ]
    )


def run_class_names(folder: Path, num_classes: int) -> list[str] | None:
    """The names of the classes that a run stored, or `None`.

    Args:
        folder: Path of the run.
        num_classes: Integer, the number K of classes of the model.
    """
    if not (folder / RECIPE).is_file():
        return None
    facts = RunSettings.read(folder).facts or {}
    names = (facts.get("data") or {}).get("classes")
    fits = (
        isinstance(names, list)
        and len(names) == num_classes
        and all(isinstance(name, str) for name in names)
    )
    return names if fits else None


def _sentence(result, recipe):
    versions = ", ".join(
        f"{name} {version}" for name, version in (result.get("versions") or {}).items()
    )
    minutes = float(result.get("seconds") or 0) / 60
    return (
        f"Trained on `{recipe.data.name}` for {recipe.epochs} epochs with seed "
        f"{recipe.seed}, in {minutes:.1f} minutes on {result.get('device')} "
        f"({versions})."
    )


def _results(result):
    lines = [
        f"On the `{result.get('judged_on')}` images. NLL is the mean negative log "
        "likelihood, ECE the expected calibration error; the calibrated NLL is the one "
        "after temperature scaling.\n",
        "| network | accuracy | NLL | calibrated NLL | ECE |",
        "|---|---:|---:|---:|---:|",
    ]
    for row in result["rows"]:
        calibrated, ece = row.get("calibrated_nll"), row.get("ece")
        lines.append(
            f"| {row['model']} | {row['accuracy']:.2%} | {row['nll']:.4f} | "
            f"{'' if calibrated is None else f'{calibrated:.4f}'} | "
            f"{'' if ece is None else f'{ece:.4f}'} |"
        )
    return "\n".join(lines) + "\n"
