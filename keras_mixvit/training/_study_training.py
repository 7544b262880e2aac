"""Trains and evaluates the cells of a study, and reports each one."""

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from keras_mixvit._passed_signals import ending_later
from keras_mixvit.training._study_cells import Cell, run_cells
from keras_mixvit.training._study_lock import locked
from keras_mixvit.training._study_results import StudyResults
from keras_mixvit.training._study_slots import Slot


def train_cells(
    chosen: Sequence[Cell],
    slots: Sequence[Slot],
    folder: Path,
    results: StudyResults,
    tell: Callable[[str], object],
) -> None:
    """Trains and evaluates cells, and writes the results after each.

    Args:
        chosen: Sequence of the cells to train.
        slots: Sequence of `Slot`, one for each process at a time.
        folder: Path of the folder of the study's runs.
        results: `StudyResults`.
        tell: Function that it calls with each sentence.
    """
    places = {cell: i + 1 for i, cell in enumerate(chosen)}
    tell(
        f"{len(chosen)} of {len(results.cells)} trainings are left, {len(slots)} at a "
        f"time, on {results.plan['backend']}. Logs: {folder}/ROW/seedN.log"
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

    # In this order, so the lock is free before a signal ends this process.
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
    """The command `keras-mixvit`, to run in its own process.

    Args:
        words: List of strings after its name.
    """
    return [sys.executable, "-m", "keras_mixvit.cli", *words]
