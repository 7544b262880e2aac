"""The cells of a study: the run of each row with each seed."""

import json
import os
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from time import sleep
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit._passed_signals import stop
from keras_mixvit.recipes._recipe_toml import from_toml
from keras_mixvit.training._atomic_files import write_json, write_text
from keras_mixvit.training._found_runs import RECIPE, RESULT
from keras_mixvit.training._study_judgement import read_judgement
from keras_mixvit.training._study_slots import Slot
from keras_mixvit.training._study_worker import command

JUDGED = "judged.json"
SECONDS_BETWEEN_LOOKS = 0.1


@dataclass(frozen=True)
class Cell:
    """A row with a seed, and the folder of its run.

    Args:
        row: String, the name of the row.
        seed: Integer.
        folder: Path of the folder of the run.
        recipe: String, its recipe as TOML.
        corruptions: Boolean, whether corrupted images judge it too.
    """

    row: str
    seed: int
    folder: Path
    recipe: str
    corruptions: bool

    def __str__(self):
        return f"{self.row}, seed {self.seed}"

    @property
    def log(self) -> Path:
        """The file of what its processes print."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def is_begun(self) -> bool:
        """Whether its folder holds a run."""
        return (self.folder / RECIPE).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether it is trained to the end."""
        return (self.folder / RESULT).is_file()

    def judged(self) -> dict[str, Any] | None:
        """What `judge` found, or `None` where that is missing or older."""
        path = self.folder / JUDGED
        try:
            age = path.stat().st_mtime - (self.folder / RESULT).stat().st_mtime
        except OSError:
            return None
        return read_judgement(path, self.corruptions) if age >= 0 else None

    def require_same(self) -> None:
        """Requires a run that is there to be of this recipe.

        Raises:
            ValueError: If it is of another one, or its recipe is damaged.
        """
        path = self.folder / RECIPE
        if not path.is_file():
            return
        stored, wanted = from_toml(str(path)), tomllib.loads(self.recipe)
        keys = [*wanted, *(key for key in stored if key not in wanted)]
        changed = [key for key in keys if stored.get(key) != wanted.get(key)]
        require(
            not changed,
            "`file` must not change rows that are trained: the run in a folder has "
            "another recipe. Undo the change, rename the row, or remove the folder.",
            folder=str(self.folder),
            **{key: (stored.get(key), wanted.get(key)) for key in changed},
        )

    def train_words(self, data_dir: str | None) -> list[str]:
        """The words of the command that trains it, or trains it on.

        Args:
            data_dir: Folder of the images, or `None`.
        """
        if (self.folder / "run.json").is_file():
            return ["resume", str(self.folder)]
        if (self.folder / RECIPE).is_file():
            # The process ended before the first file of the run was whole.
            (self.folder / RECIPE).unlink()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        file = self.folder.with_name(f"{self.folder.name}.toml")
        write_text(file, self.recipe)
        where = [] if data_dir is None else ["--data-dir", data_dir]
        return ["train", str(file), "--output", str(self.folder), "--no-single", *where]

    def judge_command(self) -> list[str]:
        """The command that judges it."""
        request = self.folder / "judge.json"
        content = {"folder": str(self.folder), "corruptions": self.corruptions}
        write_json(request, content)
        return command("judge", request, self.folder / JUDGED)

    def last_words(self) -> str:
        """The last line that its process printed: the error, where it failed."""
        text = self.log.read_text(encoding="utf-8", errors="replace")
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        return lines[-1].removeprefix("keras-mixvit: ") if lines else ""


@dataclass
class _Running:
    cell: Cell
    process: Popen
    is_judging: bool


def run_cells(
    cells: Sequence[Cell],
    slots: Sequence[Slot],
    train_command: Callable[[list[str]], list[str]],
    data_dir: str | None,
    signals: list[int],
    kept: tuple[int, ...],
    begin: Callable[[Cell, str], None],
    end: Callable[[Cell, str | None], None],
) -> None:
    """Trains and judges cells, as many side by side as there are slots.

    Args:
        cells: Cells that are not both trained and judged.
        slots: Where processes run.
        train_command: Function from the words of `keras-mixvit` to a command.
        data_dir: Folder of the images, or `None`.
        signals: List that is filled when this process is to end.
        kept: Descriptors that the processes keep open.
        begin: Function of a cell and how it begins, called when it does.
        end: Function of a cell and its error, or `None`, called when it ends.
    """
    waiting, running = list(cells), dict[int, _Running]()

    def start(place, cell):
        is_judging = cell.is_finished
        if is_judging:
            words = cell.judge_command()
        else:
            words = train_command(cell.train_words(data_dir))
        process = slots[place].start(words, cell.log, kept)
        running[place] = _Running(cell, process, is_judging)

    try:
        while waiting or running:
            for place in range(len(slots)):
                if waiting and place not in running:
                    cell = waiting.pop(0)
                    begin(cell, _beginning(cell))
                    start(place, cell)
            sleep(SECONDS_BETWEEN_LOOKS)
            ended = [
                p for p, each in running.items() if each.process.poll() is not None
            ]
            if signals:
                return
            for place in ended:
                each = running.pop(place)
                error = _error_of(each)
                if error is None and not each.is_judging:
                    start(place, each.cell)
                else:
                    end(each.cell, error)
    finally:
        stop([each.process for each in running.values()])


def _beginning(cell):
    if cell.is_finished:
        return "is judged"
    return "resumes" if (cell.folder / "run.json").is_file() else "begins"


def _error_of(running):
    cell, status = running.cell, running.process.returncode
    if status:
        ending = f"signal {-status}" if status < 0 else f"status {status}"
        return f"{cell.last_words()} ({ending}; {cell.log})"
    is_there = cell.judged() is not None if running.is_judging else cell.is_finished
    return None if is_there else f"It left no result ({cell.log})"


def recipe_of(cell: Cell) -> dict[str, Any]:
    """The recipe of a cell for JSON, which names images but not their folder."""
    found = json.loads(json.dumps(tomllib.loads(cell.recipe), default=str))
    data = found.get("data", {})
    if os.path.isabs(data.get("name", "")):
        data["name"] = os.path.basename(data["name"])
    return found
