"""Cells that another machine trained: the results file holds their figures."""

from pathlib import Path
from typing import Any

from keras_mixvit.training._run_files import is_number, read_json
from keras_mixvit.training._study_cells import Cell, recipe_of
from keras_mixvit.training._study_judgement import is_judgement

TEXTS = ("folder", "backend", "device")


def earlier_figures(path: Path, cell: Cell) -> dict[str, Any] | None:
    """The figures of a cell without a run here, from `NAME.json`, or `None`.

    Args:
        path: Path of `NAME.json`.
        cell: `Cell`. Its recipe must be the stored one.
    """
    if cell.is_begun or not path.is_file():
        return None
    try:
        cells = read_json(path).get("cells")
    except ValueError:
        return None
    for found in cells if isinstance(cells, list) else ():
        if _is_of(found, cell):
            return found
    return None


def _is_of(found, cell):
    return (
        isinstance(found, dict)
        and (found.get("row"), found.get("seed")) == (cell.row, cell.seed)
        and found.get("recipe") == recipe_of(cell)
        and all(isinstance(found.get(name), str) for name in TEXTS)
        and isinstance(found.get("versions"), dict)
        and _are_scores(found.get("scores"))
        and is_judgement(found.get("judged"), cell.corruptions)
    )


def _are_scores(scores):
    return (
        isinstance(scores, dict)
        and {"accuracy", "nll"} <= {name for name, v in scores.items() if is_number(v)}
        and all(value is None or is_number(value) for value in scores.values())
    )
