import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from keras_mixvit._checks import require, require_path, require_positive_integer
from keras_mixvit._passed_signals import ending_later
from keras_mixvit._start import chosen_backend
from keras_mixvit.training._study_cells import Cell, run_cells
from keras_mixvit.training._study_file import (
    StudyFile,
    read_study,
    require_chosen,
    slug,
)
from keras_mixvit.training._study_lock import is_locked, locked
from keras_mixvit.training._study_page import terminal
from keras_mixvit.training._study_results import (
    StudyResults,
    has_matplotlib,
    relative_costs,
)
from keras_mixvit.training._study_slots import Slot, make_slots
from keras_mixvit.training._study_table import aligned, cost_text
from keras_mixvit.training._study_worker import command, work


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
    """Trains rows of recipes with several seeds, and compares them in a table.

    A TOML file describes the study:

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

    `[recipe]` holds the fields of a `Recipe` that all rows share, and a row those
    that replace them. Both may name a recipe as their `base`, and may `set` options
    last, in a list of strings such as `"backbone.width=96"`. `note` is a text for the
    page. `corruptions = false` leaves out corrupted images, and `equal_steps = false`
    allows rows that take more steps than others.

    Each row is trained with each seed, a run of its own in `runs/NAME/ROW/seedN`, in a
    process of its own. What is finished is not trained again, and what was interrupted
    is resumed. Then the last epoch is judged on the test images. All seeds together
    become `NAME.json`, all figures, recipes and versions; `NAME.md`, the tables; and
    `NAME.png`, which needs matplotlib.

    Args:
        file: Path of the TOML file.
        runs: Folder of the runs. Defaults to `"runs"`.
        output: Folder of the results. Defaults to `"results"`.
        jobs: Integer, how many trainings run side by side, or `None` for one on each
            accelerator, or one on the processor. Defaults to `None`.
        seeds: Sequence of integers, the seeds of the file to train now, or `None` for
            all. Defaults to `None`.
        rows: Sequence of strings, the rows of the file to train now, or `None` for all.
            Defaults to `None`.
        report: Boolean, whether to train nothing and only write the results of what is
            finished. Defaults to `False`.
        data_dir: Folder of the images, as `load` takes it, or `None`. Defaults to
            `None`.
        tell: Function that it calls with each sentence and table. Defaults to `print`.

    Returns:
        Dict, the content of `NAME.json`: `rows`, with the mean, standard deviation and
        standard error of each score (`summary`) and its difference from the baseline
        seed by seed (`paired`); `cells`, one for each run; `missing`, with the `error`
        of those that failed; and all that you need to repeat the study.

    Raises:
        ValueError: If the file is no study, rows differ in their steps, a run is of
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
    environment = {"KERAS_BACKEND": _backend(tell)}
    plan = _ask("plan", _request(found, data_dir), environment)
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
    ]
    tell(_plan_text(found, plan))
    slots = make_slots(jobs, len(plan["accelerators"]), os.environ)
    slots = [Slot({**environment, **slot.environment}, slot.cores) for slot in slots]
    # A report may be written while the study runs, which judges its own cells.
    if chosen and not (report and is_locked(folder)):
        _train(chosen, len(cells), slots, folder, results, tell)
    content = results.write()
    if has_matplotlib():
        request = {"results": content, "path": str(results.path(".png"))}
        _ask("draw", request, environment)
    else:
        tell("No figure: matplotlib is missing (pip install 'keras_mixvit[figures]').")
    tell(terminal(content))
    tell(_closing(content, results))
    return content


def _backend(tell):
    """The backend of all processes, without an import of it."""
    if "keras" in sys.modules:
        return sys.modules["keras"].config.backend()
    backend, sentence = chosen_backend()
    if sentence is not None:
        tell(sentence)
    return backend


def _request(file: StudyFile, data_dir):
    rows = {
        row: {"values": file.values(row), "settings": file.settings(row)}
        for row in file.rows
    }
    return {"rows": rows, "seeds": list(file.seeds), "data_dir": data_dir}


def _ask(task, request, environment):
    """What a task gives, from another process if this one has no backend yet."""
    if "keras" in sys.modules:
        return work(task, request)
    with tempfile.TemporaryDirectory() as name:
        asked, answer = Path(name) / "request.json", Path(name) / "answer.json"
        asked.write_text(json.dumps(request), encoding="utf-8")
        found = subprocess.run(
            command(task, asked, answer),
            env={**os.environ, "TF_CPP_MIN_LOG_LEVEL": "3", **environment},
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
        )
        if found.returncode:
            lines = found.stderr.strip().splitlines()
            raise ValueError(lines[-1] if lines else f"status {found.returncode}")
        return json.loads(answer.read_text(encoding="utf-8"))


def _require_equal_steps(file, plan):
    steps = {row: found["steps"] for row, found in plan["rows"].items()}
    require(
        not file.equal_steps or len(set(steps.values())) == 1,
        "`equal_steps` must be false where a network of one row takes more steps than "
        "that of another.",
        steps=steps,
    )


def _plan_text(file, plan):
    lines = [["row", "networks", "parameters", "steps", "cost: training", "inference"]]
    for row, found in plan["rows"].items():
        costs = relative_costs(plan, row, file.baseline)
        lines.append(
            [
                f"{row} (baseline)" if row == file.baseline else row,
                str(found["members"]),
                f"{found['parameters']:,}",
                f"{found['steps']:,}",
                *map(cost_text, costs.values()),
            ]
        )
    seeds = ", ".join(map(str, file.seeds))
    return f"{file.name}: {len(file.rows)} rows, seeds {seeds}\n\n{aligned(lines)}\n"


def _train(chosen, total, slots, folder, results, tell):
    """Trains and judges cells, and writes the results after each."""
    places = {cell: i + 1 for i, cell in enumerate(chosen)}
    tell(
        f"{len(chosen)} of {total} trainings are left, {len(slots)} side by side, on "
        f"{results.plan['backend']}. Logs: {folder}/ROW/seedN.log"
    )

    def label(cell):
        return f"[{places[cell]}/{len(chosen)}] {cell}"

    def begin(cell, what):
        tell(f"{label(cell)} {what}.")

    def end(cell, error):
        if error is not None:
            results.errors[cell.row, cell.seed] = error
            tell(f"{label(cell)} failed: {error}")
        content = results.write()
        for found in content["cells"]:
            if (found["row"], found["seed"]) == (cell.row, cell.seed):
                scores = found["scores"]
                tell(
                    f"{label(cell)}: accuracy {100 * scores['accuracy']:.2f} %, "
                    f"NLL {scores['nll']:.4f}, {scores['seconds'] or 0:.1f} s."
                )

    # In this order: the lock is free before a signal ends this process.
    with ending_later() as signals, locked(folder) as kept:
        run_cells(
            chosen,
            slots,
            this_command,
            results.data_dir,
            signals,
            kept,
            begin,
            end,
        )


def this_command(words: list[str]) -> list[str]:
    """The command `keras-mixvit` in a process of its own.

    Args:
        words: List of strings after its name.
    """
    return [sys.executable, "-m", "keras_mixvit.cli", *words]


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
