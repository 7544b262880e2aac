"""The figures of the cells of a study, and their summary over all seeds."""

import contextlib
import csv
from typing import Any

from keras_mixvit._paired_test import paired_test, spread_of
from keras_mixvit.training._found_runs import RESULT
from keras_mixvit.training._run_files import is_number, read_result
from keras_mixvit.training._study_cells import Cell, recipe_of
from keras_mixvit.training._study_judgement import CORRUPTED, DIVERSITY, SCORES

# The difference between row and baseline is tested for these.
TESTED = (*SCORES, "corrupted_accuracy", "corrupted_calibrated_nll")


def figures_of(cell: Cell) -> dict[str, Any] | None:
    """All figures of a cell, or `None` if it is not trained and evaluated.

    Args:
        cell: `Cell`.

    Returns:
        Dict of `row`, `seed`, `folder`, `recipe`, `scores` (for the summary over
        seeds), `judged` (the results of `judge`), `backend`, `versions` and `device`.
    """
    if not cell.is_finished:
        return None
    judged = cell.judged()
    if judged is None:
        return None
    result = read_result(cell.folder / RESULT)
    network, parts = judged["network"], judged["parts"]
    scores = {name: network.get(name) for name in (*SCORES, *DIVERSITY)}
    accuracies = [part["accuracy"] for part in parts]
    scores["part_accuracy"] = _mean(accuracies)
    mean = (judged["corrupted"] or {}).get("mean", {})
    for name in CORRUPTED:
        scores[f"corrupted_{name}"] = mean.get(name)
    scores |= _last_epoch(cell)
    seconds, versions = result.get("seconds"), result.get("versions")
    scores["seconds"] = seconds if is_number(seconds) else None
    return {
        "row": cell.row,
        "seed": cell.seed,
        "folder": str(cell.folder),
        "recipe": recipe_of(cell),
        "scores": scores,
        "judged": judged,
        "backend": result["backend"],
        "device": str(result.get("device")),
        "versions": versions if isinstance(versions, dict) else {},
    }


def _mean(values):
    return sum(values) / len(values) if values else None


def _last_epoch(cell):
    """Training loss and accuracy of the last epoch, the mean over members."""
    files = [cell.folder / "history.csv", *cell.folder.glob("member-*/history.csv")]
    found: dict[str, list[float]] = {"loss": [], "accuracy": []}
    for path in filter(lambda path: path.is_file(), files):
        with path.open(newline="", encoding="utf-8", errors="replace") as file:
            rows = list(csv.DictReader(file))
        for name in found:
            # The file may have been edited.
            with contextlib.suppress(KeyError, IndexError, TypeError, ValueError):
                found[name].append(float(rows[-1][name]))
    return {f"training_{name}": _mean(values) for name, values in found.items()}


def summary(
    row: str, baseline: str, cells: list[dict[str, Any]]
) -> dict[str, dict[str, Any] | None]:
    """The summary of a row over all seeds, and its comparison with the baseline.

    Args:
        row: String, the name of the row.
        baseline: String, the row to compare it with.
        cells: List of the results of `figures_of`, of all rows.

    Returns:
        Dict of `summary`, from scores to results of `spread_of`, and of `paired`, from
        scores to results of `paired_test` with the `differences` by seed; `paired` is
        `None` for the baseline.
    """
    own = {cell["seed"]: cell["scores"] for cell in cells if cell["row"] == row}
    names = list(next(iter(own.values()), {}))
    found = {
        name: spread_of([s[name] for s in own.values() if s[name] is not None])
        for name in names
    }
    if row == baseline:
        return {"summary": found, "paired": None}
    other = {cell["seed"]: cell["scores"] for cell in cells if cell["row"] == baseline}
    paired = {}
    for name in TESTED:
        differences = {
            str(seed): own[seed][name] - other[seed][name]
            for seed in own
            if seed in other and None not in (own[seed][name], other[seed][name])
        }
        tested = paired_test(list(differences.values()))
        paired[name] = {**tested, "differences": differences}
    return {"summary": found, "paired": paired}


def relative_costs(
    plan: dict[str, Any], row: str, baseline: str
) -> dict[str, float | None]:
    """The operations of a row, as a multiple of those of the baseline.

    Args:
        plan: Dict that `plan` returned.
        row: String, the name of the row.
        baseline: String, the name of the baseline.
    """
    own, base = plan["rows"][row], plan["rows"][baseline]
    return {
        f"relative_{kind}_cost": own[f"{kind}_flops"] / base[f"{kind}_flops"]
        if base[f"{kind}_flops"]
        else None
        for kind in ("training", "inference")
    }
