import csv
import importlib
import json
import shutil
import sys

import numpy as np
import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.training import study
from keras_mixvit.training._run_figures import has_matplotlib
from tests.cli.processes import environment
from tests.made_once import made_once
from tests.training.tiny_study import TEXT, write_study

TRAINING = importlib.import_module("keras_mixvit.training._study_training")
STUDY = importlib.import_module("keras_mixvit.training._study")
MIXVIT = "MixViT, M = 2"
# It starts eight processes, which begin fastest on PyTorch. What they compute is
# tested elsewhere, on every backend.
pytestmark = pytest.mark.one_backend


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a finished study, its results, and what it told."""

    def make(folder):
        told = []
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(folder)
            patch.setenv("PYTHONPATH", environment()["PYTHONPATH"])
            # With one thread each, on a machine that has other work.
            patch.setenv("OMP_NUM_THREADS", "1")
            results = study(write_study(folder), jobs=2, tell=told.append)
        return results, told

    folder, (results, told) = made_once(tmp_path_factory, "study", make)
    return folder, results, told


@pytest.fixture
def copied(trained, tmp_path, monkeypatch):
    """A copy of it, in the working directory."""
    folder = tmp_path / "study"
    shutil.copytree(trained[0], folder)
    # The recipe of a run has the whole path of its images.
    for path in folder.rglob("*.toml"):
        text = path.read_text()
        path.write_text(text.replace(str(trained[0]), str(folder)))
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def without_trainings(monkeypatch):
    def refuse(*arguments):
        raise AssertionError("It trains.")

    monkeypatch.setattr(STUDY, "train_cells", refuse)


def scores_of(results, row, score):
    cells = [cell for cell in results["cells"] if cell["row"] == row]
    assert [cell["seed"] for cell in cells] == results["seeds"]
    return np.array([cell["scores"][score] for cell in cells])


def test_every_row_is_trained_with_every_seed_by_the_ordinary_command(trained):
    folder, results, _ = trained
    assert results["missing"] == []
    assert [(cell["row"], cell["seed"]) for cell in results["cells"]] == [
        (row, seed) for seed in (0, 1) for row in ("single", MIXVIT)
    ]
    for cell in results["cells"]:
        run = folder / cell["folder"]
        result = json.loads((run / "result.json").read_text())
        assert result["seed"] == cell["seed"] == cell["recipe"].get("seed", 0)
        assert result["recipe"]["method"]["name"] == cell["recipe"]["method"]["name"]
        # `train` judged it too.
        row = result["rows"][0]
        assert cell["scores"]["accuracy"] == row["accuracy"]
        assert cell["scores"]["nll"] == pytest.approx(row["nll"], rel=1e-5)
        assert cell["scores"]["seconds"] == result["seconds"]
        with (run / "history.csv").open() as file:
            (epoch,) = csv.DictReader(file)
        assert cell["scores"]["training_loss"] == float(epoch["loss"])
        assert cell["scores"]["training_accuracy"] == float(epoch["accuracy"])
    methods = [cell["recipe"]["method"]["name"] for cell in results["cells"]]
    assert methods == ["single", "mixvit"] * 2


def test_rows_take_equal_steps_and_their_costs_are_told(trained):
    _, results, told = trained
    single, mixvit = results["rows"]
    assert [row["steps"] for row in results["rows"]] == [2, 2]
    assert single["samples"] == 16
    assert single["relative_training_cost"] == single["relative_inference_cost"] == 1
    # The trunk, which is small, runs twice.
    assert 1 < mixvit["relative_inference_cost"] < 2
    line = next(line for line in told[0].splitlines() if line.startswith(MIXVIT))
    assert line.split()[-4:-2] == [f"{mixvit['parameters']:,}", "2"]


def test_a_summary_is_about_all_seeds_and_pairs_are_of_one_seed(trained):
    _, results, _ = trained
    single, mixvit = results["rows"]
    assert single["paired"] is None
    for score in ("accuracy", "nll", "calibrated_nll", "ece", "brier", "auroc"):
        own, base = (scores_of(results, row, score) for row in (MIXVIT, "single"))
        if None in own or None in base:
            continue
        found = mixvit["summary"][score]
        assert found["mean"] == pytest.approx(own.mean())
        assert found["sd"] == pytest.approx(own.std(ddof=1))
        assert found["se"] == pytest.approx(own.std(ddof=1) / 2**0.5)
        paired = mixvit["paired"][score]
        assert paired["mean"] == pytest.approx((own - base).mean())
        assert paired["se"] == pytest.approx((own - base).std(ddof=1) / 2**0.5)
        assert paired["differences"]["1"] == own[1] - base[1]
    assert mixvit["paired"]["nll"]["p"] is not None


def test_subnetworks_diversity_and_corrupted_images_are_judged(trained):
    _, results, _ = trained
    for cell in results["cells"]:
        judged, scores = cell["judged"], cell["scores"]
        parts = [part["part"] for part in judged["parts"]]
        is_single = cell["row"] == "single"
        assert parts == ([] if is_single else ["subnetwork 0", "subnetwork 1"])
        assert (scores["disagreement"] is None) == is_single
        rows = judged["corrupted"]["rows"]
        mean = np.mean([row["accuracy"] for row in rows])
        assert scores["corrupted_accuracy"] == pytest.approx(mean)
        assert {row["severity"] for row in rows} == {1, 3, 5}


def test_the_files_say_what_is_needed_to_repeat_it(trained):
    folder, results, told = trained
    assert json.loads((folder / "results" / "tiny.json").read_text()) == results
    backend = results["backend"]
    assert results["command"] == f"KERAS_BACKEND={backend} keras-mixvit study mine.toml"
    assert set(results["versions"]) == {
        *("python", "keras_mixvit", "keras", "numpy", backend)
    }
    assert results["hardware"]["cores"] >= 1
    assert results["hardware"]["processor"]
    assert results["study"]["rows"] == {
        "single": {"method": "single"},
        MIXVIT: {"method": "mixvit"},
    }
    page = (folder / "results" / "tiny.md").read_text()
    for text in ("To try the command.", results["command"], "± ", MIXVIT, "p = "):
        assert text in page
    assert told[-1].startswith("Results: results/tiny.json, results/tiny.md")
    if has_matplotlib():
        figure = (folder / "results" / "tiny.png").read_bytes()
        assert figure.startswith(b"\x89PNG")
        assert "(tiny.png)" in page


def test_each_cell_says_when_it_begins_and_ends(trained):
    _, results, told = trained
    assert told[1].startswith("4 of 4 trainings are left, 2 at a time, on ")
    assert "[1/4] single, seed 0 begins." in told
    for number, cell in enumerate(results["cells"]):
        scores = cell["scores"]
        assert (
            f"[{number + 1}/4] {cell['row']}, seed {cell['seed']}: accuracy "
            f"{100 * scores['accuracy']:.2f} %, NLL {scores['nll']:.4f}, "
            f"{scores['seconds']:.1f} s."
        ) in told


def test_what_is_finished_is_not_trained_again(copied, without_trainings):
    before = json.loads((copied / "results" / "tiny.json").read_text())
    models = {path: path.stat().st_mtime_ns for path in copied.rglob("model.keras")}
    told = []
    found = study("mine.toml", tell=told.append)
    for cell, again in zip(before["cells"], found["cells"], strict=True):
        assert again["scores"] == cell["scores"]
    assert models == {path: path.stat().st_mtime_ns for path in models}
    assert len(models) == 4
    assert not any("begins" in text for text in told)


def test_what_another_machine_finished_is_not_trained_again(copied, without_trainings):
    before = json.loads((copied / "results" / "tiny.json").read_text())
    shutil.rmtree(copied / "runs")
    # The same images in another folder.
    (copied / "elsewhere").mkdir()
    shutil.move(copied / "three.npz", copied / "elsewhere" / "three.npz")
    text = TEXT.replace("./three.npz", "./elsewhere/three.npz")
    (copied / "mine.toml").write_text(text)
    found = study("mine.toml", tell=lambda text: None)
    assert found["missing"] == []
    assert found["cells"] == before["cells"]
    assert found["rows"] == before["rows"]
    assert str(copied) not in (copied / "results" / "tiny.json").read_text()


@pytest.mark.parametrize("changed", ["recipe", "scores", "judged", "corruptions"])
def test_results_of_another_recipe_or_damaged_ones_do_not_count(copied, changed):
    path = copied / "results" / "tiny.json"
    found = json.loads(path.read_text())
    shutil.rmtree(copied / "runs")
    if changed == "recipe":
        found["cells"][1]["recipe"]["batch_size"] = 9
    elif changed == "corruptions":
        found["cells"][1]["judged"]["corrupted"] = None
    else:
        found["cells"][1][changed] = {"accuracy": "good"}
    path.write_text(json.dumps(found))
    found = study("mine.toml", report=True, tell=lambda text: None)
    assert found["missing"] == [{"row": MIXVIT, "seed": 0, "error": None}]


def test_a_run_counts_more_than_earlier_results(copied, without_trainings):
    path = copied / "results" / "tiny.json"
    before = json.loads(path.read_text())
    changed = json.loads(path.read_text())
    for cell in changed["cells"]:
        cell["scores"]["accuracy"] = 0.125
    path.write_text(json.dumps(changed))
    found = study("mine.toml", tell=lambda text: None)
    assert found["cells"] == before["cells"]
    (copied / "runs" / "tiny" / "single" / "seed1" / "result.json").unlink()
    found = study("mine.toml", report=True, tell=lambda text: None)
    assert [cell["row"] for cell in found["missing"]] == ["single"]


def test_a_row_that_changed_is_refused_by_the_name_of_its_folder(copied):
    text = TEXT.replace('"mixvit"', '"mixvit"\nensemble_of = "probabilities"')
    with pytest.raises(ValueError, match="`file` must not change rows") as refusal:
        study(write_study(copied, text), report=True)
    assert "folder='runs/tiny/mixvit-m-2/seed0', ensemble_of=(None, 'prob" in str(
        refusal.value
    )


def test_a_part_of_a_study_has_a_report(copied, without_trainings):
    (copied / "runs" / "tiny" / "mixvit-m-2" / "seed1" / "result.json").unlink()
    found = study("mine.toml", report=True, tell=lambda text: None)
    assert found["missing"] == [{"row": MIXVIT, "seed": 1, "error": None}]
    mixvit = found["rows"][1]
    assert mixvit["summary"]["nll"]["count"] == 1
    assert mixvit["summary"]["nll"]["sd"] is None
    assert mixvit["paired"]["nll"]["p"] is None
    assert "3 of 4 trainings are finished" in (copied / "results/tiny.md").read_text()
    assert f"* {MIXVIT}, seed 1" in (copied / "results/tiny.md").read_text()


def test_only_the_seeds_and_rows_that_are_asked_for_are_trained(
    copied, monkeypatch, capsys
):
    chosen = []
    monkeypatch.setattr(
        STUDY, "train_cells", lambda cells, *others: chosen.extend(cells)
    )
    shutil.rmtree("runs")
    shutil.rmtree("results")
    words = ["study", "mine.toml", "--seeds", "1", "--rows", MIXVIT]
    assert main(words) == 0
    assert [(cell.row, cell.seed) for cell in chosen] == [(MIXVIT, 1)]
    # They are not trained, and did not fail.
    assert "4 trainings are missing, 0 of them failed." in capsys.readouterr().out


def test_a_cell_that_fails_is_missing_and_the_same_command_tries_again(
    copied, monkeypatch, capsys
):
    shutil.rmtree(copied / "runs" / "tiny" / "single" / "seed1")
    shutil.rmtree(copied / "results")
    code = "print('keras-mixvit: The disk is full.'); raise SystemExit(1)"
    begun = []

    def broken(words):
        begun.append(words[0])
        return [sys.executable, "-S", "-c", code]

    monkeypatch.setattr(TRAINING, "this_command", broken)
    for times in (1, 2):
        assert main(["study", "mine.toml"]) == 1
        assert len(begun) == times
        out = capsys.readouterr().out
        assert "[1/1] single, seed 1 failed: The disk is full. (status 1; runs/" in out
    found = json.loads((copied / "results" / "tiny.json").read_text())
    (missing,) = found["missing"]
    assert (missing["row"], missing["seed"]) == ("single", 1)
    assert missing["error"].startswith("The disk is full.")
    assert missing["error"] in (copied / "results" / "tiny.md").read_text()
