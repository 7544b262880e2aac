import json
import shutil
import sys

import keras
import numpy as np
import pytest

from keras_mixvit import load_model, metrics
from keras_mixvit.backbones import ConViT
from keras_mixvit.cli._main import main
from keras_mixvit.data import load
from keras_mixvit.data.sets._validation_split import validation_indices
from keras_mixvit.metrics._calibrated_nll import calibrated
from keras_mixvit.models import SingleNetwork
from keras_mixvit.training import evaluate_run
from keras_mixvit.training._run_facts import fingerprint
from tests.evaluation.linear import Linear
from tests.helpers import LOSS, images, set_weights
from tests.tiny_run import write_images
from tests.training.evaluated import (
    VALIDATION,
    paper_run,
    relabel,
    start,
    write_settings,
)

MODULE = sys.modules["keras_mixvit.training._evaluate_run"]


@pytest.fixture
def linear(monkeypatch):
    """The model of every run."""
    model = Linear((8, 8, 1), 3, members=2, name="mine")
    monkeypatch.setattr(MODULE, "load_model", lambda path: model)
    return model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run whose model was evaluated and calibrated by the command."""
    folder = tmp_path_factory.mktemp("runs") / "mine"
    data = start(folder)
    model = SingleNetwork(ConViT((8, 8, 1), 4, 8, 2, 1, 1), 3, name="mine")
    set_weights(model, scale=1.0)
    model.compile(keras.optimizers.AdamW(0.25), LOSS)
    model.optimizer.build(model.trainable_variables)
    relabel(model, data)
    model.save(folder / "model.keras")
    shutil.copy(folder / "model.keras", folder / "before.keras")
    status = main(["evaluate", str(folder), "--calibrate", "--batch-size=16"])
    return folder, status


def test_the_command_writes_what_it_found(finished):
    folder, status = finished
    assert status == 0
    content = json.loads((folder / "evaluation.json").read_text())
    data = str(folder / "three.npz")
    assert (content["data"], content["split"]) == (data, "test")
    assert (content["model"], content["samples"]) == ("mine", 25)
    assert content["corrupted"] is None
    assert content["temperature"]["fitted_on"] == "val"
    model = load_model(folder / "before.keras")
    test, val = load(data, "test"), load(data, "val")
    logits = model.predict(test.images, verbose=0)
    (row,) = content["rows"]
    expected = metrics.nll(logits, test.labels)
    assert row["nll"] == pytest.approx(expected, rel=1e-5)
    known = model.predict(val.images, verbose=0)
    temperature = metrics.fit_temperature(known, val.labels)
    found = content["temperature"]
    assert found["value"] == pytest.approx(temperature, rel=1e-4)
    expected = metrics.nll(logits / temperature, test.labels)
    assert found["nll"] == pytest.approx(expected, rel=1e-4)


def test_the_command_saves_the_model_with_its_temperature(finished):
    folder, _ = finished
    before = load_model(folder / "before.keras")
    after = load_model(folder / "model.keras")
    content = json.loads((folder / "evaluation.json").read_text())
    assert before.temperature == 1.0
    assert after.temperature == content["temperature"]["value"] != 1.0
    assert float(after.optimizer.learning_rate) == 0.25
    for old, new in zip(before.weights, after.weights, strict=True):
        np.testing.assert_array_equal(np.asarray(new), np.asarray(old))
    names = {path.name for path in folder.iterdir()}
    assert names == {
        "before.keras",
        "evaluation.json",
        "model.keras",
        "prediction.json",
        "recipe.toml",
        "run.json",
        "three.npz",
    }


def test_a_temperature_is_saved_on_request_alone(linear, tmp_path):
    relabel(linear, start(tmp_path / "run"))
    found = evaluate_run(str(tmp_path / "run"), verbose=0)
    assert found.temperature not in (None, 1)
    assert linear.temperature == 1
    assert (tmp_path / "run" / "model.keras").read_bytes() == b""


def test_test_images_fit_no_temperature_unless_asked(
    linear, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr(MODULE, "save_model", lambda model, path: None)
    arrays = paper_run(linear, tmp_path, protocol="paper")
    run = str(tmp_path / "run")
    found = evaluate_run(run, verbose=0)
    assert (found.fitted_on, found.temperature, found.calibrated_nll) == (None,) * 3
    logits = linear.predict(arrays["x_test"], verbose=0)
    expected, temperatures = calibrated(logits, arrays["y_test"])
    # The papers' NLL_c is judged all the same.
    assert found.report.rows[0]["calibrated_nll"] == pytest.approx(expected, rel=1e-4)
    assert main(["evaluate", run]) == 0
    out = capsys.readouterr().out
    assert "No temperature: the run has no validation images to fit it." in out
    assert main(["evaluate", run, "--calibrate"]) == 1
    text = (
        "keras-mixvit: `calibrate` must not be set if the run has no validation "
        "images; `calibrate_on` 'test' fits the temperature on the evaluated images. "
        "Received: calibrate=True, data="
    )
    assert capsys.readouterr().err.startswith(text)
    assert linear.temperature == 1
    found = evaluate_run(run, calibrate_on="test", verbose=0)
    assert found.fitted_on == "halves of test"
    assert found.temperature == pytest.approx(np.mean(temperatures), rel=1e-4)
    assert main(["evaluate", run, "--calibrate", "--calibrate-on=test"]) == 0
    text = "fitted on halves of test (the images that are judged, so this NLL looks "
    assert text in capsys.readouterr().out
    assert linear.temperature == pytest.approx(np.mean(temperatures), rel=1e-4)


def test_a_model_that_test_images_chose_is_not_judged_by_them(linear, tmp_path, capsys):
    paper_run(linear, tmp_path, protocol="paper")
    best = tmp_path / "run" / "best.keras"
    best.touch()
    text = (
        r"`run` must not be best\.keras if the evaluated images chose it; use "
        r"model\.keras, or other images\. Received: run="
    )
    with pytest.raises(ValueError, match=text):
        evaluate_run(str(best))
    other = write_images(tmp_path / "other.npz", **VALIDATION)
    assert evaluate_run(str(best), other, verbose=0).fitted_on == "val"


@pytest.mark.parametrize("share", [None, 0.25])
def test_the_temperature_is_fitted_on_the_images_that_were_held_out(
    share, linear, tmp_path
):
    arrays = paper_run(linear, tmp_path, protocol="validation", val_share=share)
    rng = np.random.default_rng(0)
    arrays["x_train"] = rng.random((80, 8, 8, 1)).astype("float32")
    labels = linear.predict(arrays["x_train"], verbose=0).argmax(axis=1)
    labels[::3] += 1
    arrays["y_train"] = labels % 3
    np.savez(tmp_path / "run" / "three.npz", **arrays)
    found = evaluate_run(str(tmp_path / "run"), verbose=0)
    assert found.fitted_on == "val"
    chosen = validation_indices(arrays["y_train"], share or 0.1)
    assert len(chosen) == (8 if share is None else 20)
    logits = linear.predict(arrays["x_train"][chosen], verbose=0)
    expected = metrics.fit_temperature(logits, arrays["y_train"][chosen])
    assert found.temperature == pytest.approx(expected, rel=1e-4)


def test_other_validation_images_than_those_of_the_run_are_refused(linear, tmp_path):
    data = start(tmp_path / "run")
    relabel(linear, data)
    before = {"validation": fingerprint({"val": load(data, "val")})}
    before = {"data": {"fingerprint": "0", **before}}
    facts = {"backend": "jax", "versions": {}, "replicas": 1, **before}
    write_settings(tmp_path / "run", data, facts=facts)
    assert evaluate_run(str(tmp_path / "run"), verbose=0).fitted_on == "val"
    relabel(
        linear,
        write_images(
            data, test=25, **{**VALIDATION, "x_val": images(30, (8, 8, 1), 2)}
        ),
    )
    text = r"`run` must be evaluated with the images of its training; its va"
    with pytest.raises(ValueError, match=text):
        evaluate_run(str(tmp_path / "run"), verbose=0)


def test_without_a_test_split_the_validation_split_is_judged(linear, tmp_path):
    data = start(tmp_path / "run")
    arrays = relabel(linear, data)
    del arrays["x_test"], arrays["y_test"]
    np.savez(data, **arrays)
    found = evaluate_run(str(tmp_path / "run"), verbose=0)
    assert (found.split, found.fitted_on) == ("val", "halves of val")
    assert found.report.samples == 30


def test_the_single_network_of_a_run_is_judged_on_the_images_of_the_run(
    linear, tmp_path
):
    start(tmp_path / "run")
    (tmp_path / "run" / "single").mkdir()
    (tmp_path / "run" / "single" / "model.keras").touch()
    found = evaluate_run(str(tmp_path / "run" / "single"), verbose=0)
    assert found.report.samples == 25
    assert found.path == tmp_path / "run" / "single" / "evaluation.json"


def test_other_images_and_another_file_can_be_named(linear, tmp_path):
    start(tmp_path / "run", has_settings=False)
    data = write_images(tmp_path / "other.npz", test=9, **VALIDATION)
    output = tmp_path / "new" / "found.json"
    found = evaluate_run(
        str(tmp_path / "run" / "model.keras"), data, output=str(output), verbose=0
    )
    assert (found.report.samples, found.path) == (9, output)
    assert json.loads(output.read_text())["data"] == data
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_corrupted_images_are_judged_too(monkeypatch, tmp_path, capsys):
    model = Linear((32, 32, 3), 10, name="mine")
    monkeypatch.setattr(MODULE, "load_model", lambda path: model)
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "model.keras").touch()
    test = {"x_train": np.zeros((2, 32, 32, 3), "uint8"), "y_train": np.array([0, 9])}
    test["x_test"] = (255 * images(12, (32, 32, 3))).astype("uint8")
    test["y_test"] = np.arange(12) % 10
    np.savez(tmp_path / "cifar10.npz", **test)
    write_settings(
        tmp_path / "run", "cifar10", data_dir=str(tmp_path), protocol="paper"
    )
    evaluation = sys.modules["keras_mixvit.evaluation._evaluate_corrupted"]
    monkeypatch.setattr(evaluation, "CORRUPTIONS", ("fog",))
    few = test["x_test"], test["y_test"]
    monkeypatch.setattr(evaluation, "load_corrupted", lambda *where: few)
    assert main(["evaluate", str(tmp_path / "run"), "--corrupted=DIR"]) == 0
    assert "mine, cifar10 corrupted" in capsys.readouterr().out
    content = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert content["samples"] == 12
    nll = content["rows"][0]["nll"]
    assert content["corrupted"]["means"][-1]["nll"] == pytest.approx(nll, rel=1e-5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"corrupted": "DIR"}, "`corrupted` must not be set for data sets other"),
        ({"run": "nowhere"}, "`run` must hold a model.keras. Received: run='nowhere'"),
    ],
)
def test_what_does_not_fit_is_refused(linear, tmp_path, options, message):
    start(tmp_path / "run")
    with pytest.raises(ValueError, match=message):
        evaluate_run(**{"run": str(tmp_path / "run"), **options}, verbose=0)


def test_images_must_be_named_where_the_run_does_not_name_them(linear, tmp_path):
    start(tmp_path / "run", has_settings=False)
    message = "`data` must be given if the run has no recipe.toml"
    with pytest.raises(ValueError, match=message):
        evaluate_run(str(tmp_path / "run"))


@pytest.mark.parametrize("temperature", [0.0, float("inf")])
def test_no_temperature_is_told_and_not_saved(
    linear, tmp_path, capsys, monkeypatch, temperature
):
    monkeypatch.setattr(MODULE, "fit_temperature", lambda *case: temperature)
    start(tmp_path / "run")
    assert main(["evaluate", str(tmp_path / "run")]) == 0
    assert "No temperature: NLL has no minimum at one." in capsys.readouterr().out
    content = json.loads((tmp_path / "run" / "evaluation.json").read_text())
    assert content["temperature"] == {"value": None, "fitted_on": "val", "nll": None}
    assert main(["evaluate", str(tmp_path / "run"), "--calibrate"]) == 1
    out, err = capsys.readouterr()
    assert "NLL_c" in out
    assert err == (
        "keras-mixvit: No temperature was saved, because none minimises the NLL: all "
        "predictions are right, or none are better than chance.\n"
    )
    assert linear.temperature == 1
    (tmp_path / "run" / "evaluation.json").unlink()
    with pytest.warns(UserWarning, match="No temperature was saved, because none"):
        evaluate_run(str(tmp_path / "run"), calibrate=True)
    assert (tmp_path / "run" / "evaluation.json").is_file()
