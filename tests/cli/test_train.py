import csv
import json
import sys

import keras
import numpy as np
import pytest

from keras_mixvit import load, load_model, recipes
from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._main import main
from keras_mixvit.cli._run_table import print_run
from keras_mixvit.data import MixedPairDataset
from keras_mixvit.metrics import accuracy, nll
from keras_mixvit.models import MixMo
from keras_mixvit.recipes import Recipe
from keras_mixvit.training._recorder import Recorder
from keras_mixvit.training._run_figures import has_matplotlib
from keras_mixvit.training._run_settings import RunSettings
from tests.helpers import numpy
from tests.tiny_run import make_eager, train_words, write_images


def test_a_run_leaves_its_models_histories_results_and_options(command_run):
    assert command_run.status == 0
    found = {
        path.relative_to(command_run.folder).as_posix()
        for path in command_run.folder.rglob("*")
        if path.is_file()
    }
    training = {"model.keras", "best.keras", "history.csv", "report.json"}
    expected = {"recipe.toml", "run.json", "result.json", *training}
    expected |= {f"single/{name}" for name in training}
    if has_matplotlib():
        expected |= {"curves.png", "mixed_samples.png"}
    assert found == expected


def test_a_run_draws_its_figures(command_run):
    pytest.importorskip("matplotlib")
    for name in ("curves.png", "mixed_samples.png"):
        assert (command_run.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_recipe_is_kept_with_the_run(command_run):
    settings = RunSettings.read(command_run.folder)
    assert settings.single
    recipe = settings.recipe
    assert Recipe.from_dict(command_run.result["recipe"]) == recipe
    assert recipe.data.name == command_run.data
    assert (recipe.backbone.options["width"], recipe.seed) == (8, 3)


def test_the_result_says_what_is_needed_to_repeat_it(command_run):
    result = command_run.result
    backend = keras.config.backend()
    assert set(result["versions"]) == {
        *("python", "keras_mixvit", "keras", "numpy", backend)
    }
    assert (result["backend"], result["seed"]) == (backend, 3)
    assert result["device"].startswith("1 x ") or result["device"][0].isdigit()
    assert result["scaled"] is False
    assert len(result["data"]["fingerprint"]) == 64
    assert result["data"]["shapes"]["train"] == [16, 8, 8, 1]
    for name in (".", "single"):
        best = result["trainings"][name]["best"]
        assert (best["epoch"], best["selected_on"]) == (0, "val")
        assert 0 <= best["val_accuracy"] <= 1


@pytest.mark.parametrize("place", ["", "single"])
def test_the_history_has_a_row_per_epoch_with_validation(command_run, place):
    with (command_run.folder / place / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0"]
    columns = {"loss", "accuracy", "nll", "val_loss", "val_accuracy", "val_nll"}
    assert columns <= set(rows[0])
    assert all(np.isfinite(float(value)) for value in rows[0].values())


def test_results_compare_the_single_network_with_the_ensemble(command_run):
    assert [row["model"] for row in command_run.result["rows"]] == [
        "single_network",
        "mixvit ensemble",
        "mixvit subnetwork 0",
        "mixvit subnetwork 1",
    ]
    for row in command_run.result["rows"][:2]:
        assert row["parameters"] > 0
        assert row["seconds"] >= 0
    for row in command_run.result["rows"][2:]:
        assert row["parameters"] is None
        assert row["seconds"] is None


def test_the_title_names_a_share_of_the_images(tmp_path, capsys):
    rows = [{"model": "m", "parameters": 1, "accuracy": 1.0, "nll": 0, "seconds": 1}]
    recipe = recipes.recipe("digits-250-mixvit")
    RunSettings(recipe).write(tmp_path)
    print_run(make_console(width=120), tmp_path, rows)
    title = "digits, 25 % of the training images, 240 epochs, seed 0"
    assert title in capsys.readouterr().out


def test_the_table_is_the_results(command_run):
    for row in command_run.result["rows"]:
        line = next(
            line for line in command_run.text.splitlines() if row["model"] in line
        )
        assert f"{100 * row['accuracy']:.2f} %" in line
        assert f"{row['nll']:.4f}" in line
        assert f"{row['calibrated_nll']:.4f}" in line
        assert f"{100 * row['ece']:.2f} %" in line
        if row["parameters"] is not None:
            assert f"{row['parameters']:,}" in line
            assert f"{row['seconds']:.1f}" in line
    assert "1 epochs, seed 3" in command_run.text
    assert "of 12 images" in command_run.text
    assert "This is one seed, and with 12 images the standard error" in command_run.text
    assert "Models, history and figures: " in command_run.text


def test_saved_models_reproduce_the_results(command_run):
    test = load(command_run.data, "test")
    rows = {row["model"]: row for row in command_run.result["rows"]}
    model = load_model(command_run.folder / "model.keras")
    single = load_model(command_run.folder / "single" / "model.keras")
    members = numpy(model.inference_network(test.images))
    logits = {
        "mixvit ensemble": numpy(model(test.images)),
        "mixvit subnetwork 0": members[:, 0],
        "mixvit subnetwork 1": members[:, 1],
        "single_network": numpy(single(test.images)),
    }
    for name, values in logits.items():
        assert rows[name]["accuracy"] == accuracy(values, test.labels)
        assert rows[name]["nll"] == pytest.approx(nll(values, test.labels), rel=1e-4)
    assert rows["mixvit ensemble"]["parameters"] == model.count_params()


def test_saved_models_come_with_what_they_were_trained_with(command_run):
    model = load_model(command_run.folder / "model.keras")
    train = load(command_run.data)
    mean, std = train.statistics()
    assert model.backbone.mean == pytest.approx(mean)
    assert model.backbone.std == pytest.approx(std)
    assert model.loss.label_smoothing == 0.0
    assert model.optimizer.weight_decay == 0.05


def test_mixmo_is_trained_on_a_residual_network(tmp_path, monkeypatch, capsys):
    make_eager(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    data = write_images(tmp_path / "three.npz", train=8)
    output = tmp_path / "out"
    settings = ["method=cut_mixmo", "backbone=wide_resnet", f"data={data}"]
    settings += [
        "epochs=1",
        "batch_size=8",
        "pairs.repetitions=2",
        "pixel_mixing=cutmix",
    ]
    words = [f"--set={setting}" for setting in settings]
    assert main(["train", "--no-single", f"--output={output}", *words]) == 0
    model = load_model(output / "model.keras")
    assert type(model) is MixMo
    assert (model.name, model.r, model.num_subnetworks) == ("cut_mixmo", 3.0, 2)
    rows = json.loads((output / "result.json").read_text())["rows"]
    assert [row["model"] for row in rows] == [
        "cut_mixmo ensemble",
        "cut_mixmo subnetwork 0",
        "cut_mixmo subnetwork 1",
    ]
    assert rows[0]["parameters"] == model.count_params()
    assert all(np.isfinite(row["nll"]) and 0 <= row["accuracy"] <= 1 for row in rows)
    with (output / "history.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert all(np.isfinite(float(value)) for value in row.values())
    assert int(model.optimizer.iterations) == 2
    assert (output / "mixed_samples.png").exists() == has_matplotlib()
    assert rows[0]["model"] in capsys.readouterr().out


INTERRUPTED = (
    "keras-mixvit: interrupted. `keras-mixvit resume {}` resumes after the last "
    "epoch.\n"
)


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("kind", "method"),
    [(Recorder, "on_train_batch_end"), (MixedPairDataset, "__getitem__")],
)
def test_an_interruption_leaves_a_model(kind, method, tmp_path, monkeypatch, capsys):
    make_eager(monkeypatch)
    # Callbacks run in the thread that Ctrl-C reaches, on every backend.
    monkeypatch.setattr(kind, method, interrupt)
    data = write_images(tmp_path / "three.npz")
    output = tmp_path / "out"
    assert main(train_words(data, output, "--no-single")) == 130
    assert capsys.readouterr().err.endswith(INTERRUPTED.format(output))
    assert not (output / "result.json").exists()
    model = load_model(output / "model.keras")
    assert numpy(model(load(data, "test").images)).shape == (12, 3)


def test_words_become_a_recipe(monkeypatch):
    found = []

    def record(*arguments, **options):
        found.append((arguments, options))
        raise ValueError("enough")

    module = sys.modules["keras_mixvit.training._train"]
    monkeypatch.setattr(module, "train", record)
    words = (
        "mixvit-convit --set backbone.width=96 --scale 0.1 --width-scale 0.5 --seed 4"
    )
    words += " --data-share 0.02 --precision bfloat16 --apply-on device --output mine"
    words += " --data-dir images --tensorboard --val-share 0.2"
    assert main(["train", *words.split()]) == 1
    ((arguments, options),) = found
    recipe = recipes.recipe("mixvit-convit").with_settings(
        {"backbone.width": 96, "seed": 4}
    )
    recipe = recipe.with_settings({"width_scale": 0.5, "data.share": 0.02}).scaled(0.1)
    recipe = recipe.with_settings(
        {"data.protocol": "validation", "data.val_share": 0.2}
    )
    expected = recipe.with_settings(
        {"precision": "bfloat16", "pairs.apply_on": "device"}
    )
    assert arguments == (expected, "mine", False)
    assert (options["data_dir"], options["tensorboard"]) == ("images", True)
    assert options["single_cutmix"] is False
    main(["train"])
    assert found[1][0] == (recipes.recipe("digits-250-mixvit"), None, True)
    assert found[1][1]["single_cutmix"] is True
    main(["train", "--no-single"])
    assert found[2][0][2] is found[2][1]["single_cutmix"] is False
    main(["train", "mimo", "--single-cutmix"])
    assert (found[3][0][2], found[3][1]["single_cutmix"]) == (False, True)


def test_without_matplotlib_and_tensorboard_a_run_says_so(
    tmp_path, monkeypatch, capsys
):
    train = sys.modules["keras_mixvit.training._train"]
    figures = sys.modules["keras_mixvit.training._run_figures"]
    monkeypatch.setattr(figures, "has_matplotlib", lambda: False)
    monkeypatch.setattr(train, "has_tensorboard", lambda: False)
    monkeypatch.setattr(train, "finish", lambda *args: [])
    monkeypatch.setenv("COLUMNS", "200")
    data = write_images(tmp_path / "three.npz")
    output = tmp_path / "out"
    assert main(train_words(data, output, "--no-single", "--tensorboard")) == 0
    out = capsys.readouterr().out
    for text in (
        "No figures: matplotlib is missing (pip install 'keras_mixvit[figures]').",
        "No logs for TensorBoard: Keras writes them with the packages tensorflow and "
        "tensorboard (pip install tensorflow tensorboard).",
    ):
        assert text in " ".join(out.split())
    settings = RunSettings.read(output)
    assert not settings.tensorboard
    assert list(settings.trainings()) == ["."]
