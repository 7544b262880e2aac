import contextlib
import csv
import io
import json
import shutil
import sys
from types import SimpleNamespace

import keras
import numpy as np
import pytest

from keras_mixvit import load, load_model
from keras_mixvit.cli import main
from keras_mixvit.data import MixedPairDataset
from keras_mixvit.metrics import accuracy, nll
from keras_mixvit.models import MixMo
from keras_mixvit.recipes import Recipe
from keras_mixvit.recipes.checkpoint import Checkpoint
from keras_mixvit.recipes.train import has_matplotlib
from tests.helpers import numpy
from tests.recipes.tiny_run import WORDS, make_eager, write_images

TRAIN = sys.modules["keras_mixvit.recipes.train"]


def words(data, output, *more):
    return ["train", f"--set=data={data}", f"--output={output}", *WORDS, *more]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A finished run of the command."""
    base = tmp_path_factory.mktemp("run")
    data = write_images(base / "three.npz")
    text = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch:
        make_eager(monkeypatch)
        monkeypatch.setenv("COLUMNS", "120")
        with contextlib.redirect_stdout(text):
            status = main(words(data, base / "out", "--set=seed=3"))
    return SimpleNamespace(
        status=status,
        folder=base / "out",
        data=data,
        text=text.getvalue(),
        rows=json.loads((base / "out" / "results.json").read_text()),
    )


def test_a_run_leaves_its_models_histories_results_and_options(finished):
    assert finished.status == 0
    found = {
        path.relative_to(finished.folder).as_posix()
        for path in finished.folder.rglob("*")
        if path.is_file()
    }
    expected = {
        "model.keras",
        "history.csv",
        "results.json",
        "recipe.json",
        "single/model.keras",
        "single/history.csv",
    }
    if has_matplotlib():
        expected |= {"curves.png", "mixed_samples.png"}
    assert found == expected


def test_a_run_draws_its_figures(finished):
    pytest.importorskip("matplotlib")
    for name in ("curves.png", "mixed_samples.png"):
        assert (finished.folder / name).read_bytes().startswith(b"\x89PNG")


def test_the_recipe_is_kept_with_the_run(finished):
    text = (finished.folder / "recipe.json").read_text()
    recipe = Recipe.from_dict(json.loads(text))
    assert recipe.data == finished.data
    assert (recipe.width, recipe.seed) == (8, 3)


@pytest.mark.parametrize("place", ["", "single"])
def test_the_history_has_a_row_per_epoch_with_validation(finished, place):
    with (finished.folder / place / "history.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0"]
    columns = {"loss", "accuracy", "nll", "val_loss", "val_accuracy", "val_nll"}
    assert columns <= set(rows[0])
    assert all(np.isfinite(float(value)) for value in rows[0].values())


def test_results_compare_the_single_network_with_the_ensemble(finished):
    assert [row["model"] for row in finished.rows] == [
        "single_network",
        "mixvit ensemble",
        "mixvit subnetwork 0",
        "mixvit subnetwork 1",
    ]
    for row in finished.rows[:2]:
        assert row["parameters"] > 0
        assert row["seconds"] >= 0
    for row in finished.rows[2:]:
        assert row["parameters"] is None
        assert row["seconds"] is None


def test_the_table_is_the_results(finished):
    for row in finished.rows:
        line = next(line for line in finished.text.splitlines() if row["model"] in line)
        assert f"{100 * row['accuracy']:.2f} %" in line
        assert f"{row['nll']:.4f}" in line
        if row["parameters"] is not None:
            assert f"{row['parameters']:,}" in line
            assert f"{row['seconds']:.1f}" in line
    assert "1 epochs, seed 3" in finished.text
    assert "Model, history and figures: " in finished.text


def test_saved_models_reproduce_the_results(finished):
    test = load(finished.data, "test")
    rows = {row["model"]: row for row in finished.rows}
    model = load_model(finished.folder / "model.keras")
    single = load_model(finished.folder / "single" / "model.keras")
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


def test_saved_models_come_with_what_they_were_trained_with(finished):
    model = load_model(finished.folder / "model.keras")
    train = load(finished.data)
    mean, std = train.statistics()
    assert model.backbone.mean == pytest.approx(mean)
    assert model.backbone.std == pytest.approx(std)
    assert model.loss.label_smoothing == Recipe.label_smoothing
    assert model.optimizer.weight_decay == Recipe().resolved_weight_decay


def fit_nothing(model, dataset, validation, place, recipe, verbose):
    model.save(place / "model.keras")
    return 0.0


def test_without_matplotlib_and_the_single_network_a_run_says_so_and_finishes(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(TRAIN, "_fit", fit_nothing)
    for module in (TRAIN, sys.modules["keras_mixvit.cli"]):
        monkeypatch.setattr(module, "has_matplotlib", lambda: False)
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, tmp_path / "out", "--no-single")) == 0
    out = capsys.readouterr().out
    text = "No figures: matplotlib is missing (pip install 'keras_mixvit[figures]')."
    assert text in " ".join(out.split())
    assert "single_network" not in out
    assert "mixvit ensemble" in out
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"model.keras", "recipe.json", "results.json"}


INTERRUPTED = "keras-mixvit: interrupted; the run's folder holds what was trained.\n"


def interrupt(*args, **kwargs):
    raise KeyboardInterrupt


def test_an_interruption_leaves_the_model_so_far(tmp_path, monkeypatch, capsys):
    make_eager(monkeypatch)
    # Callbacks run in the thread that Ctrl-C reaches, on every backend.
    monkeypatch.setattr(Checkpoint, "on_train_batch_end", interrupt)
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, tmp_path / "out", "--no-single")) == 130
    assert capsys.readouterr().err.endswith(INTERRUPTED)
    assert not (tmp_path / "out" / "results.json").exists()
    model = load_model(tmp_path / "out" / "model.keras")
    assert int(model.optimizer.iterations) == 1
    assert numpy(model(load(data, "test").images)).shape == (12, 3)


def test_an_interruption_at_the_first_batch_leaves_the_model_too(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(MixedPairDataset, "__getitem__", interrupt)
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, tmp_path / "out", "--no-single")) == 130
    assert capsys.readouterr().err.endswith(INTERRUPTED)
    assert load_model(tmp_path / "out" / "model.keras").num_classes == 3


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        (
            "data=missing.npz",
            "`name` must be one of 'digits', 'cifar10', 'cifar100', 'tiny-imagenet', "
            "'imagenet100', 'imagenet1k', 'tfds:NAME', or an existing .npz file or "
            "folder. Received: name='missing.npz'",
        ),
        (
            "backbone=wideresnet",
            "`backbone` must be a transformer with the method 'mixvit'. Received: "
            "backbone='wideresnet'",
        ),
        (
            "r=2",
            "`r` must be left alone with the method 'mixvit'. Received: r=2.0",
        ),
        (
            "widening=2",
            "`widening` must be left alone with the backbone 'convit'. Received: "
            "widening=2",
        ),
        (
            "source_attribution=both",
            "`source_attribution` must be one of 'embedding', 'encoding', 'none'. "
            "Received: source_attribution='both'",
        ),
        (
            "attribution_position=middle",
            "`attribution_position` must be one of 'late', 'early'. "
            "Received: attribution_position='middle'",
        ),
        (
            "input_mixing=mixup",
            "`input_mixing` must be one of 'binarized_cutmix', 'averaged_masks', "
            "'all_tokens'. Received: input_mixing='mixup'",
        ),
        (
            "inference=2",
            "`inference` must be 'parallel', 'sum', 'alternating' or the index of a "
            "subnetwork, 0 to 1. Received: inference=2",
        ),
        (
            "inference=all",
            "`inference` must be 'parallel', 'sum', 'alternating' or the index of a "
            "subnetwork, 0 to 1. Received: inference='all'",
        ),
        (
            "ensemble_of=votes",
            "`ensemble_of` must be one of 'logits', 'probabilities'. "
            "Received: ensemble_of='votes'",
        ),
        (
            "patch_size=3",
            "`patch_size` must divide the image size. "
            "Received: patch_size=3, image_size=(8, 8)",
        ),
        (
            "num_heads=3",
            "`num_heads` must divide the width. Received: num_heads=3, width=8",
        ),
        (
            "num_subnetworks=1",
            "`num_subnetworks` must be an integer of at least 2. "
            "Received: num_subnetworks=1",
        ),
        (
            "batch_size=17",
            "`batch_size` must not exceed the number of images. "
            "Received: batch_size=17, images=16",
        ),
        (
            "alpha=0",
            "`alpha` must be a positive finite number. Received: alpha=0.0",
        ),
        (
            "stochastic_depth_rate=1",
            "`stochastic_depth_rate` must be in [0, 1). "
            "Received: stochastic_depth_rate=1.0",
        ),
        (
            "epochs=many",
            "`epochs` must be an integer. Received: epochs='many'",
        ),
        (
            "wdith=16",
            "`setting` must be a known name. Nearest: 'width', 'depth', 'width_scale'. "
            "Received: setting='wdith'",
        ),
        ("epochs=0", "`epochs` must be an integer of at least 1. Received: epochs=0"),
    ],
)
def test_a_wrong_option_is_one_sentence_and_leaves_no_folder(
    setting, text, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, tmp_path / "out", f"--set={setting}")) == 1
    assert capsys.readouterr().err.endswith(f"keras-mixvit: {text}\n")
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_one_sentence(tmp_path, capsys):
    (tmp_path / "three.npz").write_bytes(b"no archive")
    assert main(words(tmp_path / "three.npz", tmp_path / "out")) == 1
    message = capsys.readouterr().err
    assert message.startswith("keras-mixvit: `name` must be an intact .npz file ")


def test_an_output_folder_that_holds_something_is_left_alone(tmp_path, capsys):
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, tmp_path)) == 1
    text = "keras-mixvit: `output` must be a new or empty folder. Received: output="
    assert capsys.readouterr().err == f"{text}{str(tmp_path)!r}\n"
    assert [path.name for path in tmp_path.iterdir()] == ["three.npz"]


def test_an_output_folder_that_cannot_be_made_is_one_sentence(tmp_path, capsys):
    data = write_images(tmp_path / "three.npz")
    assert main(words(data, f"{data}/out")) == 1
    text = (
        "keras-mixvit: `output` must be a folder that can be written. Received: "
        f"output='{data}/out' (Not a directory)\n"
    )
    assert capsys.readouterr().err == text


@pytest.mark.parametrize(
    "wrong",
    [
        [],
        ["predict"],
        ["train", "--set"],
        ["train", "--speed=2"],
        ["export"],
        ["export", "--format=keras"],
        ["export", "run"],
        ["export", "run", "--format=h5"],
        ["export", "run", "--format=keras", "--speed=2"],
    ],
)
def test_words_that_are_not_understood_are_told_with_the_usage(wrong, capsys):
    with pytest.raises(SystemExit) as stop:
        main(wrong)
    assert stop.value.code == 2
    assert capsys.readouterr().err.startswith("usage: keras-mixvit")


def test_words_become_a_recipe(monkeypatch):
    found = []

    def record(*arguments, **options):
        found.append(arguments)
        raise ValueError("enough")

    monkeypatch.setattr(sys.modules["keras_mixvit.cli"], "train", record)
    settings = ["method=cut-mixmo", "backbone=wideresnet", "inference=1", "l2=0"]
    words = [f"--set={setting}" for setting in settings]
    assert main(["train", *words, "--no-single", "--output=mine"]) == 1
    expected = Recipe(method="cut-mixmo", backbone="wideresnet", inference=1, l2=0.0)
    assert found == [(expected, "mine", False)]


def test_mixmo_is_trained_on_a_residual_network(tmp_path, monkeypatch, capsys):
    make_eager(monkeypatch)
    monkeypatch.setenv("COLUMNS", "120")
    data = write_images(tmp_path / "three.npz", train=8)
    output = tmp_path / "out"
    settings = ["method=cut-mixmo", "backbone=wideresnet", f"data={data}"]
    settings += ["epochs=1", "batch_size=8", "repetitions=2", "pixel_mixing=cutmix"]
    words = [f"--set={setting}" for setting in settings]
    assert main(["train", "--no-single", f"--output={output}", *words]) == 0
    model = load_model(output / "model.keras")
    assert type(model) is MixMo
    assert (model.name, model.r, model.num_subnetworks) == ("cut_mixmo", 3.0, 2)
    rows = json.loads((output / "results.json").read_text())
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
    # Features, not pixels, are mixed: there is no picture of them.
    assert not (output / "mixed_samples.png").exists()
    assert rows[0]["model"] in capsys.readouterr().out


def test_a_finished_run_is_exported_and_the_path_is_told(finished, tmp_path, capsys):
    output = tmp_path / "ensemble.keras"
    words = ["export", str(finished.folder), "--format=keras", f"--output={output}"]
    assert main(words) == 0
    told = capsys.readouterr()
    expected = f"Ensemble of {finished.folder}, images to logits: {output}\n"
    assert told.out == expected
    assert told.err == ""
    ensemble = keras.saving.load_model(output)
    assert ensemble.output_shape == (None, 3)
    model = load_model(finished.folder / "model.keras")
    for weight, old in zip(ensemble.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, old)


def test_an_export_goes_beside_the_model_by_default(finished, tmp_path, capsys):
    file = tmp_path / "best.keras"
    shutil.copy(finished.folder / "single" / "model.keras", file)
    assert main(["export", str(file), "--format", "keras"]) == 0
    output = tmp_path / "export" / "model.keras"
    assert output.is_file()
    assert capsys.readouterr().out.endswith(f": {output}\n")
    # A second one would overwrite the first.
    before = output.read_bytes()
    assert main(["export", str(file), "--format", "keras"]) == 1
    told = capsys.readouterr()
    text = f"`output` must be a path that is new. Received: output={str(output)!r}"
    assert told.err == f"keras-mixvit: {text}\n"
    assert told.out == ""
    assert output.read_bytes() == before


def refused_export(tmp_path, capsys, text, *more):
    """An export is one sentence and leaves no file."""
    file = tmp_path / "model.keras"
    file.write_bytes(b"no model")
    assert main(["export", str(file), *more]) == 1
    told = capsys.readouterr()
    assert told.err == f"keras-mixvit: {text}\n"
    assert told.out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


def test_an_export_of_a_damaged_model_is_one_sentence(tmp_path, capsys):
    file = str(tmp_path / "model.keras")
    text = f"`path` must be an existing, intact .keras file. Received: path={file!r}"
    refused_export(tmp_path, capsys, text, "--format=keras")


def test_an_export_to_another_suffix_is_one_sentence(tmp_path, capsys):
    output = str(tmp_path / "model.h5")
    text = f"`output` must end in .keras. Received: output={output!r}"
    more = ("--format=keras", f"--output={output}")
    refused_export(tmp_path, capsys, text, *more)


def test_an_export_in_a_format_of_another_backend_is_one_sentence(tmp_path, capsys):
    backend = keras.config.backend()
    format, way = ("onnx", "tensorflow")
    if backend == "tensorflow":
        format, way = ("torch", "torch")
    text = (
        f"`format` must be another one on {backend}; for {format!r} save the model as "
        f".keras, load it with KERAS_BACKEND={way}, and export it there. "
        f"Received: format={format!r}"
    )
    refused_export(tmp_path, capsys, text, "--format", format)


def test_an_export_without_a_package_is_one_sentence(tmp_path, monkeypatch, capsys):
    text = "Exporting 'onnx' needs the package tf2onnx: pip install tf2onnx."

    def missing(*args):
        raise ModuleNotFoundError(text)

    monkeypatch.setattr(sys.modules["keras_mixvit.cli"], "export", missing)
    refused_export(tmp_path, capsys, text, "--format=onnx")


def test_an_export_of_a_run_that_is_not_there_is_one_sentence(tmp_path, capsys):
    run = str(tmp_path / "missing")
    assert main(["export", run, "--format=keras"]) == 1
    text = f"keras-mixvit: `run` must hold a model.keras. Received: run={run!r}\n"
    assert capsys.readouterr().err == text


def test_help_of_an_export_lists_the_formats_with_their_backends(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as stop:
        main(["export", "--help"])
    assert stop.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "--format {keras,tf_saved_model,onnx,litert,torch}" in text
    for told in (
        "keras (any backend)",
        "tf_saved_model (TensorFlow, JAX)",
        "onnx, litert (TensorFlow)",
        "torch, a .pt2 file (PyTorch)",
        "--output",
    ):
        assert told in text
