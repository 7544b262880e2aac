"""The result files of a study: NAME.json, NAME.md and NAME.png."""

import importlib.util
import os
import platform
import shlex
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from keras_mixvit.training._atomic_files import write_json, write_text
from keras_mixvit.training._study_cells import Cell
from keras_mixvit.training._study_earlier import earlier_figures
from keras_mixvit.training._study_figures import (
    figures_of,
    relative_costs,
    summary,
)
from keras_mixvit.training._study_file import StudyFile, slug
from keras_mixvit.training._study_page import page


class StudyResults:
    """The results of a study so far.

    Args:
        file: `StudyFile`.
        plan: Dict that `plan` returned.
        cells: Sequence of all `Cell`s of the study.
        folder: Path of the folder of the files.
        data_dir: Folder of the images, or `None`.
    """

    def __init__(
        self,
        file: StudyFile,
        plan: dict[str, Any],
        cells: Sequence[Cell],
        folder: Path,
        data_dir: str | None,
    ):
        self.file, self.plan, self.cells, self.folder = file, plan, cells, folder
        self.data_dir = data_dir
        self.errors: dict[tuple[str, int], str] = {}
        path = self.path(".json")
        self.earlier = {(c.row, c.seed): earlier_figures(path, c) for c in cells}

    def path(self, suffix: str) -> Path:
        """The path of the file with this suffix."""
        return self.folder / f"{self.file.name}{suffix}"

    def figures(self, cell: Cell) -> dict[str, Any] | None:
        """All figures of a cell, from its run or from earlier results, or `None`."""
        return figures_of(cell) or self.earlier[cell.row, cell.seed]

    def write(self) -> dict[str, Any]:
        """Writes `NAME.json` and `NAME.md`, and returns the content of the first."""
        results = self.to_dict()
        self.folder.mkdir(parents=True, exist_ok=True)
        write_json(self.path(".json"), results)
        figure = self.path(".png").name if has_matplotlib() else None
        write_text(self.path(".md"), page(results, figure))
        return results

    def to_dict(self) -> dict[str, Any]:
        """The content of `NAME.json`."""
        found = {(c.row, c.seed): self.figures(c) for c in self.cells}
        cells = [figures for figures in found.values() if figures is not None]
        missing = [
            {"row": row, "seed": seed, "error": self.errors.get((row, seed))}
            for (row, seed), figures in found.items()
            if figures is None
        ]
        settings = asdict(self.file)
        settings |= {
            "path": os.path.basename(self.file.path),
            "seeds": list(self.file.seeds),
        }
        return {
            "name": self.file.name,
            "note": self.file.note,
            "command": self._command(),
            "study": settings,
            "backend": self.plan["backend"],
            "versions": self.plan["versions"],
            "hardware": {
                "processor": processor(),
                "cores": os.cpu_count(),
                "system": platform.platform(),
                "accelerators": self.plan["accelerators"],
            },
            "seeds": list(self.file.seeds),
            "baseline": self.file.baseline,
            "equal_steps": self.file.equal_steps,
            "rows": [self._row(row, cells) for row in self.file.rows],
            "cells": cells,
            "missing": missing,
        }

    def _row(self, row, cells):
        costs = {k: v for k, v in self.plan["rows"][row].items() if k != "recipes"}
        return {
            "row": row,
            "slug": slug(row),
            **costs,
            **relative_costs(self.plan, row, self.file.baseline),
            **summary(row, self.file.baseline, cells),
        }

    def _command(self):
        words = ["keras-mixvit", "study", os.path.basename(self.file.path)]
        if self.data_dir is not None:
            words += ["--data-dir", "DIR"]
        return f"KERAS_BACKEND={self.plan['backend']} {shlex.join(words)}"


def has_matplotlib() -> bool:
    """Whether matplotlib is installed, to draw the figure."""
    return importlib.util.find_spec("matplotlib") is not None


def processor() -> str:
    """The name of the processor, from the system."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        # Only Linux has this file.
        pass
    return platform.processor() or platform.machine()
