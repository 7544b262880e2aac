"""Cells, trained by small programs in place of the command."""

import json
import os
import sys
import time

import pytest

from keras_mixvit.training._study_cells import JUDGED, Cell, run_cells
from keras_mixvit.training._study_slots import Slot

RECIPE = 'name = "mine-one"\nepochs = 1\nseed = {}\n[data]\nname = "digits"\n'
JUDGEMENT = {
    "split": "test",
    "samples": 4,
    "network": {"accuracy": 0.5, "nll": 1.0},
    "parts": [],
    "corrupted": None,
}
# Leaves what a training leaves, and what judges it.
TRAIN = """
import json, pathlib, sys, time
folder = pathlib.Path(sys.argv[1])
folder.mkdir(parents=True, exist_ok=True)
(folder / "result.json").write_text("{}")
"""
SLEEP = "import time; print('sleeping', flush=True); time.sleep(60)"


def cells_in(folder, count=3):
    return [
        Cell("one", seed, folder / "one" / f"seed{seed}", RECIPE.format(seed), False)
        for seed in range(count)
    ]


@pytest.fixture
def judging(monkeypatch):
    """Judges by a program that only writes its file."""
    text = json.dumps(JUDGEMENT)
    code = f"import pathlib, sys; pathlib.Path(sys.argv[1]).write_text({text!r})"

    def command(self):
        return [sys.executable, "-S", "-c", code, str(self.folder / JUDGED)]

    monkeypatch.setattr(Cell, "judge_command", command)


def run(cells, code, slots=1, signals=(), environment=None):
    """What was told, with a program in place of `keras-mixvit`."""
    told = []

    def command(words):
        folder = words[words.index("--output") + 1] if words[0] == "train" else words[1]
        return [sys.executable, "-S", "-c", code, folder, *words]

    run_cells(
        cells,
        [Slot(environment or {})] * slots,
        command,
        None,
        signals if isinstance(signals, list) else [],
        (),
        lambda cell, how: told.append((cell.seed, how)),
        lambda cell, error: told.append((cell.seed, error)),
    )
    return told


def test_cells_are_trained_and_judged_in_their_order(tmp_path, judging):
    cells = cells_in(tmp_path)
    assert run(cells, TRAIN) == [
        *((0, "begins"), (0, None), (1, "begins"), (1, None)),
        *((2, "begins"), (2, None)),
    ]
    assert all(cell.is_finished and cell.judged() == JUDGEMENT for cell in cells)


def test_the_command_trains_the_recipe_of_the_cell(tmp_path):
    (cell,) = cells_in(tmp_path, 1)
    file = tmp_path / "one" / "seed0.toml"
    words = ["train", str(file), "--output", str(cell.folder), "--no-single"]
    assert cell.train_words(None) == words
    assert cell.train_words("/data") == [*words, "--data-dir", "/data"]
    assert file.read_text() == cell.recipe


def test_an_unfinished_run_is_resumed(tmp_path, judging):
    cells = cells_in(tmp_path, 1)
    cells[0].folder.mkdir(parents=True)
    (cells[0].folder / "run.json").write_text("{}")
    code = f"{TRAIN}\nassert sys.argv[2:] == ['resume', sys.argv[1]]"
    assert run(cells, code) == [(0, "resumes"), (0, None)]


def test_a_run_that_had_written_one_file_begins_anew(tmp_path):
    (cell,) = cells_in(tmp_path, 1)
    cell.folder.mkdir(parents=True)
    (cell.folder / "recipe.toml").write_text(cell.recipe)
    assert cell.train_words(None)[0] == "train"
    assert not any(cell.folder.iterdir())


def test_a_finished_run_is_only_judged(tmp_path, judging):
    cells = cells_in(tmp_path, 1)
    cells[0].folder.mkdir(parents=True)
    (cells[0].folder / "result.json").write_text("{}")
    assert run(cells, "raise SystemExit('trained again')") == [
        (0, "is judged"),
        (0, None),
    ]


def test_a_cell_that_fails_leaves_the_others(tmp_path, judging):
    code = TRAIN.replace(
        "folder.mkdir",
        "print('some lines'); 'seed1' in str(folder) and "
        "sys.exit('keras-mixvit: It is broken.')\nfolder.mkdir",
    )
    cells = cells_in(tmp_path)
    told = run(cells, code)
    log = tmp_path / "one" / "seed1.log"
    assert told[3] == (1, f"It is broken. (status 1; {log})")
    assert [entry for entry in told if entry[1] is None] == [(0, None), (2, None)]
    assert "some lines" in log.read_text()


def test_a_program_that_leaves_nothing_has_failed(tmp_path):
    told = run(cells_in(tmp_path, 1), "pass")
    log = tmp_path / "one" / "seed0.log"
    assert told == [(0, "begins"), (0, f"It wrote no result ({log})")]


def test_as_many_run_side_by_side_as_there_are_slots(tmp_path, judging):
    # Each waits for the other to have begun.
    code = f"""{TRAIN}
for _ in range(600):
    if len(list(folder.parent.glob("seed*/"))) >= 2:
        break
    time.sleep(0.05)
else:
    sys.exit(1)
"""
    told = run(cells_in(tmp_path, 2), code, slots=2)
    assert told[:2] == [(0, "begins"), (1, "begins")]
    assert sorted(told[2:]) == [(0, None), (1, None)]


@pytest.mark.parametrize("is_signal", [True, False])
def test_processes_end_with_the_study(tmp_path, is_signal, monkeypatch):
    signals = []
    module = sys.modules[Cell.__module__]
    log = tmp_path / "one" / "seed0.log"
    processes = []
    start = Slot.start

    def started(self, *arguments):
        processes.append(start(self, *arguments))
        return processes[-1]

    def interrupted(seconds):
        time.sleep(seconds)
        if log.is_file() and "sleeping" in log.read_text():
            if not is_signal:
                raise KeyboardInterrupt
            signals.append(15)

    monkeypatch.setattr(Slot, "start", started)
    monkeypatch.setattr(module, "sleep", interrupted)
    began = time.monotonic()
    if is_signal:
        told = run(cells_in(tmp_path), SLEEP, signals=signals)
        # Nothing is said to have failed, and nothing else begins.
        assert told == [(0, "begins")]
    else:
        with pytest.raises(KeyboardInterrupt):
            run(cells_in(tmp_path), SLEEP)
    assert [process.poll() for process in processes] == [-15]
    assert time.monotonic() - began < 30


def test_a_run_of_another_recipe_is_refused(tmp_path):
    (cell,) = cells_in(tmp_path, 1)
    cell.require_same()
    cell.folder.mkdir(parents=True)
    stored = cell.folder / "recipe.toml"
    stored.write_text(cell.recipe)
    cell.require_same()
    stored.write_text(cell.recipe.replace("epochs = 1", "epochs = 2"))
    with pytest.raises(ValueError, match="`file` must not change rows ") as refusal:
        cell.require_same()
    assert f"folder={str(cell.folder)!r}, epochs=(2, 1)" in str(refusal.value)
    stored.write_text(f"{cell.recipe}share = 0.5")
    with pytest.raises(ValueError, match="`file` must not change rows ") as refusal:
        cell.require_same()
    assert "share" in str(refusal.value)


def test_a_judgement_that_is_older_or_damaged_does_not_count(tmp_path):
    (cell,) = cells_in(tmp_path, 1)
    cell.folder.mkdir(parents=True)
    judged, result = cell.folder / JUDGED, cell.folder / "result.json"
    assert cell.judged() is None
    result.write_text("{}")
    judged.write_text(json.dumps(JUDGEMENT))
    assert cell.judged() == JUDGEMENT
    os.utime(judged, (1, 1))
    assert cell.judged() is None
    judged.write_text(json.dumps({**JUDGEMENT, "network": {"accuracy": 0.5}}))
    assert cell.judged() is None
    judged.write_text("{")
    assert cell.judged() is None


def test_a_judgement_without_corruptions_does_not_count_where_they_are_asked_for(
    tmp_path,
):
    cell = Cell("one", 0, tmp_path, RECIPE.format(0), corruptions=True)
    (tmp_path / "result.json").write_text("{}")
    (tmp_path / JUDGED).write_text(json.dumps(JUDGEMENT))
    assert cell.judged() is None
    corrupted = {"rows": [], "mean": {"accuracy": 0.25}}
    (tmp_path / JUDGED).write_text(json.dumps({**JUDGEMENT, "corrupted": corrupted}))
    assert cell.judged()["corrupted"] == corrupted
