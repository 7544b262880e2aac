"""The cells of a study: one run for each row and seed."""

import json
import tomllib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from subprocess import Popen
from time import sleep
from typing import Any

from keras_mixvit._checks import require
from keras_mixvit._passed_signals import stop
from keras_mixvit._published_paths import without_folders
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
        corruptions: Boolean, whether to evaluate it on corrupted images, too.
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
        """The file with the output of its processes."""
        return self.folder.with_name(f"{self.folder.name}.log")

    @property
    def is_begun(self) -> bool:
        """Whether its folder holds a run."""
        return (self.folder / RECIPE).is_file()

    @property
    def is_finished(self) -> bool:
        """Whether its training is finished."""
        return (self.folder / RESULT).is_file()

    def judged(self) -> dict[str, Any] | None:
        """The results of `judge`, or `None` if they are missing or outdated."""
        path = self.folder / JUDGED
        try:
            age = path.stat().st_mtime - (self.folder / RESULT).stat().st_mtime
        except OSError:
            return None
        return read_judgement(path, self.corruptions) if age >= 0 else None

    def require_same(self) -> None:
        """Requires that a run in its folder has its recipe.

        Raises:
            ValueError: If the run has another recipe, or a damaged one.
        """
        path = self.folder / RECIPE
        if not path.is_file():
            return
        stored, wanted = from_toml(str(path)), tomllib.loads(self.recipe)
        keys = [*wanted, *(key for key in stored if key not in wanted)]
        changed = [key for key in keys if stored.get(key) != wanted.get(key)]
        require(
            not changed,
            "`file` must not change rows that are already trained: the run in a "
            "folder has another recipe. Undo the change, rename the row, or remove "
            "the folder.",
            folder=str(self.folder),
            **{key: (stored.get(key), wanted.get(key)) for key in changed},
        )

    def train_words(self, data_dir: str | None) -> list[str]:
        """The words of the command that trains or resumes it.

        Args:
            data_dir: Folder of the images, or `None`.
        """
        if (self.folder / "run.json").is_file():
            return ["resume", str(self.folder)]
        if (self.folder / RECIPE).is_file():
            # The process ended before it had written the first file of the run.
            (self.folder / RECIPE).unlink()
        self.folder.parent.mkdir(parents=True, exist_ok=True)
        file = self.folder.with_name(f"{self.folder.name}.toml")
        write_text(file, self.recipe)
        where = [] if data_dir is None else ["--data-dir", data_dir]
        return ["train", str(file), "--output", str(self.folder), "--no-single", *where]

    def judge_command(self) -> list[str]:
        """The command that evaluates it."""
        request = self.folder / "judge.json"
        content = {"folder": str(self.folder), "corruptions": self.corruptions}
        write_json(request, content)
        return command("judge", request, self.folder / JUDGED)

    def last_words(self) -> str:
        """The last line that its process printed: the error, if it failed."""
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
    """Trains and evaluates cells, with one process per slot at a time.

    Args:
        cells: Cells to train or evaluate.
        slots: Sequence of `Slot`, where processes run.
        train_command: Function from the words of `keras-mixvit` to a command.
        data_dir: Folder of the images, or `None`.
        signals: List that receives the signals that end this process.
        kept: Descriptors that the processes keep open.
        begin: Function to call with a cell and how it begins.
        end: Function to call with a finished cell and its error, or `None`.
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
    return None if is_there else f"It wrote no result ({cell.log})"


def recipe_of(cell: Cell) -> dict[str, Any]:
    """The recipe of a cell for JSON, without the folders of images and preset."""
    found = without_folders(tomllib.loads(cell.recipe))
    return json.loads(json.dumps(found, default=str))
