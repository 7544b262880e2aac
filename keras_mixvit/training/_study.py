import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_mixvit._checks import require, require_path, require_positive_integer
from keras_mixvit.training._study_cells import Cell
from keras_mixvit.training._study_file import (
    StudyFile,
    read_study,
    require_chosen,
    slug,
)
from keras_mixvit.training._study_lock import is_locked
from keras_mixvit.training._study_page import plan_text, terminal
from keras_mixvit.training._study_results import StudyResults, has_matplotlib
from keras_mixvit.training._study_slots import Slot, make_slots
from keras_mixvit.training._study_training import train_cells
from keras_mixvit.training._study_worker import ask, backend_of


def study(
    file: str,
    runs: str = "runs",
    output: str = "results",
    jobs: int | None = None,
    seeds: Sequence[int] | None = None,
    rows: Sequence[str] | None = None,
    report: bool = False,
    data_dir: str | None = None,
    tell: Callable[[str], object] = print,
) -> dict[str, Any]:
    """Trains several recipes with several seeds, and compares them in a table.

    A TOML file describes the study; each recipe is a row of the table:

    ```toml
    name = "digits-250"
    seeds = [0, 1, 2]
    baseline = "single + CutMix"

    [recipe]
    epochs = 240
    data = {name = "digits", share = 0.2, protocol = "paper"}

    [rows."single + CutMix"]
    method = "single"
    pixel_mixing = "cutmix"

    [rows."MixViT, M = 2"]
    method = "mixvit"
    ```

    `[recipe]` holds the fields of a `Recipe` that all rows share, and each row the
    fields that it changes. Both may name another recipe as their `base`, and may `set`
    options at the end, in a list of strings such as `"backbone.width=96"`. `note` is a
    text for the page. `corruptions = false` leaves out corrupted images, and
    `equal_steps = false` allows rows that take more steps than others.

    Each row trains with each seed, as a run in `runs/NAME/ROW/seedN`, in its own
    process. Finished runs are not trained again, and interrupted runs resume. Then the
    model of the last epoch is evaluated on the test images. The results of all seeds go
    to `NAME.json`, with all numbers, recipes and versions; `NAME.md`, with tables; and
    `NAME.png`, which needs matplotlib. If `NAME.json` already has a row and seed with
    the same recipe, it is not trained again: copy that file to continue a study
    elsewhere.

    Args:
        file: Path of the TOML file.
        runs: Folder of the runs. Defaults to `"runs"`.
        output: Folder of the results. Defaults to `"results"`.
        jobs: Integer, the number of trainings at the same time, or `None` for one on
            each accelerator, or one on the processor. Defaults to `None`.
        seeds: Sequence of integers, the seeds of the file to train now, or `None` for
            all. Defaults to `None`.
        rows: Sequence of strings, the rows of the file to train now, or `None` for all.
            Defaults to `None`.
        report: Boolean, whether to train nothing and only write the results of finished
            runs. Defaults to `False`.
        data_dir: Folder of the images, as in `load`, or `None`. Defaults to `None`.
        tell: Function that it calls with each sentence and table for the user. Defaults
            to `print`.

    Returns:
        Dict, the content of `NAME.json`: `rows`, with the mean, standard deviation and
        standard error of each score (`summary`) and its difference from the baseline
        seed by seed (`paired`); `cells`, one for each run; `missing`, with the `error`
        of failed runs; and all that you need to repeat the study.

    Raises:
        ValueError: If the file is not a study, rows differ in their steps, a run has
            another recipe, or another process is training the study.
        OSError: If a file cannot be written. Finished runs remain.

    Example:

    ```python
    with open("mine.toml", "w") as file:
        file.write('seeds = [0, 1]\\nbaseline = "single"\\n')
        file.write('[recipe]\\nepochs = 1\\n[rows.single]\\nmethod = "single"\\n')
        file.write('[rows.MixViT]\\nmethod = "mixvit"\\n')
    results = study("mine.toml", report=True)
    assert [row["steps"] for row in results["rows"]] == [15, 15]
    assert len(results["missing"]) == 4 and Path("results/mine.md").exists()
    ```

    References:
        MixViT, Section 4, whose tables give means of several seeds.
    """
    found = read_study(file)
    require_chosen(found, seeds, rows)
    for name, path in (("runs", runs), ("output", output), ("data_dir", data_dir)):
        if path is not None:
            require_path(name, path)
    if jobs is not None:
        require_positive_integer("jobs", jobs)
    require(isinstance(report, bool), "`report` must be a boolean.", report=report)
    data_dir = None if data_dir is None else os.path.abspath(data_dir)
    environment = {"KERAS_BACKEND": backend_of(tell)}
    plan = ask("plan", _request(found, data_dir), environment)
    _require_equal_steps(found, plan)
    folder = Path(runs) / found.name
    cells = [
        Cell(
            row,
            seed,
            folder / slug(row) / f"seed{seed}",
            plan["rows"][row]["recipes"][str(seed)],
            found.corruptions,
        )
        for seed in found.seeds
        for row in found.rows
    ]
    for cell in cells:
        cell.require_same()
    results = StudyResults(found, plan, cells, Path(output), data_dir)
    chosen = [
        cell
        for cell in cells
        if (seeds is None or cell.seed in seeds)
        and (rows is None or cell.row in rows)
        and (cell.is_finished or not report)
        and cell.judged() is None
        and results.earlier[cell.row, cell.seed] is None
    ]
    tell(plan_text(found.name, found.baseline, found.seeds, plan))
    slots = make_slots(jobs, len(plan["accelerators"]), os.environ)
    slots = [Slot({**environment, **slot.environment}, slot.cores) for slot in slots]
    # You can write a report while the study runs; it evaluates its own cells.
    if chosen and not (report and is_locked(folder)):
        train_cells(chosen, slots, folder, results, tell)
    content = results.write()
    if has_matplotlib():
        request = {"results": content, "path": str(results.path(".png"))}
        ask("draw", request, environment)
    else:
        tell("No figure: matplotlib is missing (pip install 'keras_mixvit[figures]').")
    tell(terminal(content))
    tell(_closing(content, results))
    return content


def _request(file: StudyFile, data_dir):
    rows = {
        row: {"values": file.values(row), "settings": file.settings(row)}
        for row in file.rows
    }
    return {"rows": rows, "seeds": list(file.seeds), "data_dir": data_dir}


def _require_equal_steps(file, plan):
    steps = {row: found["steps"] for row, found in plan["rows"].items()}
    require(
        not file.equal_steps or len(set(steps.values())) == 1,
        "`equal_steps` must be false if rows take different numbers of steps per "
        "network.",
        steps=steps,
    )


def _closing(content, results):
    failed = sum(entry["error"] is not None for entry in content["missing"])
    lines = []
    if content["missing"]:
        lines.append(
            f"{len(content['missing'])} trainings are missing, {failed} of them "
            "failed. The same command trains them."
        )
    files = [results.path(".json"), results.path(".md")]
    if has_matplotlib():
        files.append(results.path(".png"))
    lines.append(f"Results: {', '.join(map(str, files))}")
    return "\n".join(lines)
