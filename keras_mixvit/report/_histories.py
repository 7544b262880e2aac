"""The learning curves of a run."""

import csv
from collections.abc import Mapping
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.analysis._training_curves import read_history
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.training._run_rows import BASELINES

CURVES = ("epoch", "loss", "val_accuracy", "val_nll")


def intact_histories(folder: Path, trainings: Mapping[str, Recipe]) -> dict[str, Path]:
    """The paths of the learning curves that are there, by the names of the networks.

    Args:
        folder: Path of the run.
        trainings: Dict from the folders of its trainings to their recipes.

    Raises:
        ValueError: If one is damaged.
    """
    found = {}
    for place, recipe in trainings.items():
        path = folder / place / "history.csv"
        if path.is_file():
            require(
                _is_intact(path),
                f"`runs` must hold an intact history.csv, with {', '.join(CURVES)}.",
                history=str(path),
            )
            name = recipe.method.name if place == "." else place
            found[BASELINES.get(place, name)] = path
    return found


def _is_intact(path):
    try:
        columns = read_history(path)
    except (OSError, ValueError, KeyError, IndexError, TypeError, csv.Error):
        return False
    return all(len(columns.get(name, ())) > 0 for name in CURVES)
