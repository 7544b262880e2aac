from pathlib import Path

from keras_mixvit._checks import require, require_path
from keras_mixvit.analysis import training_curves
from keras_mixvit.data.sets._load import data_label
from keras_mixvit.recipes._differences import published_of, scale_of
from keras_mixvit.recipes._published_text import in_words
from keras_mixvit.training._found_runs import RESULT, require_finished
from keras_mixvit.training._run_files import read_result
from keras_mixvit.training._run_settings import RunSettings


def compare(runs: list[str], output: str | None = None) -> list[dict]:
    """A table that compares the networks of several finished runs.

    Args:
        runs: List of paths of run folders.
        output: Path of a figure with all training curves, which needs matplotlib, or
            `None` for no figure. Defaults to `None`.

    Returns:
        List of dicts, one for each network: `run`, `model`, `data`, `epochs`,
        `seed`, `scaled`, `protocol`, `backend`, `parameters`, `accuracy`, `nll`,
        `seconds`, and, for the method, `published`, the figures of the paper,
        and `differs`, the differences between your training and the paper's.

    Raises:
        ValueError: If a folder does not hold a finished run.

    Example:

    ```python
    recipe = Recipe(epochs=1, backbone={"name": "convit", "width": 16})
    train(recipe, output="run", verbose=0)
    rows = compare(["run"])
    assert [row["model"] for row in rows] == ["single_network", "mixvit ensemble"]
    ```
    """
    require(
        isinstance(runs, (list, tuple)),
        "`runs` must be a list of folder paths.",
        runs=runs,
    )
    for run in runs:
        require_path("run", run)
    rows, histories = [], {}
    names = [Path(run).resolve().name for run in runs]
    for run, name in zip(runs, names, strict=True):
        folder = require_finished(run)
        label = name if names.count(name) == 1 else str(run)
        settings = RunSettings.read(folder)
        rows += _rows_of(label, settings.recipe, folder)
        for place, each in settings.trainings().items():
            part = each.method.name if place == "." else place
            histories[f"{label}: {part}"] = folder / place / "history.csv"
    if output is not None:
        path = Path(output)
        path.parent.mkdir(parents=True, exist_ok=True)
        training_curves(histories)[0].savefig(path)
    return rows


def _rows_of(label, recipe, folder):
    result = read_result(folder / RESULT)
    # Parts of a network have no parameters of their own.
    whole = [row for row in result["rows"] if row["parameters"] is not None]
    shared = {
        "run": label,
        "data": data_label(recipe.data.name),
        "epochs": recipe.total_epochs,
        "seed": recipe.seed,
        "scaled": scale_of(recipe),
        "protocol": recipe.data.protocol,
        "backend": result["backend"],
        "published": "",
        "differs": "",
    }
    rows = [{**shared, **row} for row in whole]
    published, differs = published_of(recipe)
    if published:
        rows[-1]["published"] = "; ".join(in_words(published))
        rows[-1]["differs"] = ", ".join(differs)
    return rows
