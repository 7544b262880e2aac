"""What `evaluate_run` and `keras-mixvit evaluate` compute on request."""

import json
import sys

import numpy as np
import pytest

from keras_mixvit import metrics
from keras_mixvit.cli._main import main
from keras_mixvit.metrics import ConformalSets
from keras_mixvit.training import evaluate_run
from tests.evaluation.linear import Linear
from tests.helpers import images
from tests.tiny_run import write_images
from tests.training.evaluated import paper_run, relabel, start

MODULE = sys.modules["keras_mixvit.training._evaluate_run"]


@pytest.fixture
def linear(monkeypatch):
    """The model of every run."""
    model = Linear((8, 8, 1), 3, members=2, name="mine")
    monkeypatch.setattr(MODULE, "load_model", lambda path: model)
    return model


def content_of(folder):
    return json.loads((folder / "evaluation.json").read_text())


def test_the_command_judges_uncertainty(linear, tmp_path, capsys):
    data = start(tmp_path / "run")
    arrays = relabel(linear, data)
    other = write_images(tmp_path / "other.npz", test=12)
    words = ["--thorough", "--bootstrap=20", f"--ood={other}", "--ood=digits"]
    assert main(["evaluate", str(tmp_path / "run"), *words]) == 0
    out = capsys.readouterr().out
    for heading in (
        "mine, 25 samples",
        "Selective classification and calibration",
        "95 % bootstrap intervals",
        "Out-of-distribution images",
        "Conformal prediction sets for a coverage of 90 %",
    ):
        assert heading in out
    assert "No prediction sets" not in out
    content = content_of(tmp_path / "run")
    rows = [(row["set"], row["samples"]) for row in content["ood"]]
    assert rows == [("other.npz", 12)] * 5 + [("digits", 500)] * 5
    assert content["rows"][0]["intervals"]["accuracy"][0] <= 1
    assert len(content["classes"]["accuracy"]) == 3
    known = linear.predict(arrays["x_val"], verbose=0)
    for row in content["conformal"]:
        fitted = ConformalSets.from_dict(row["fitted"])
        expected = ConformalSets.fit(known, arrays["y_val"], row["method"])
        assert fitted.threshold == pytest.approx(expected.threshold, rel=1e-4)


def test_detection_is_that_of_the_images(linear, tmp_path):
    data = start(tmp_path / "run")
    arrays = relabel(linear, data)
    other = write_images(tmp_path / "other.npz", test=12)
    found = evaluate_run(str(tmp_path / "run"), ood=[other], verbose=0)
    with np.load(other) as file:
        unknown = file["x_test"]
    known, others = (
        np.asarray(linear.inference_network.predict(x, verbose=0))
        for x in (arrays["x_test"], unknown)
    )
    for row in found.report.ood:
        expected = metrics.ood_detection(
            *(metrics.ood_scores(x)[row["score"]] for x in (known, others))
        )
        assert row["auroc"] == pytest.approx(expected["auroc"], abs=1e-6)
    assert found.report.conformal == []


def test_images_of_another_size_are_resized(linear, tmp_path):
    start(tmp_path / "run")
    large = (255 * images(9, (12, 16, 1))).astype("uint8")
    np.savez(tmp_path / "large.npz", x_train=large, y_train=np.arange(9) % 3)
    found = evaluate_run(
        str(tmp_path / "run"), ood=[str(tmp_path / "large.npz")], verbose=0
    )
    # Without a test split its training images are taken.
    assert {row["samples"] for row in found.report.ood} == {9}


def test_sets_of_one_name_are_told_apart(linear, tmp_path):
    start(tmp_path / "run")
    paths = [tmp_path / name / "other.npz" for name in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        write_images(path, test=5)
    found = evaluate_run(str(tmp_path / "run"), ood=list(map(str, paths)), verbose=0)
    names = list(dict.fromkeys(row["set"] for row in found.report.ood))
    assert names == ["other.npz", str(paths[1])]


def test_without_validation_images_there_are_no_prediction_sets(
    linear, tmp_path, capsys
):
    paper_run(linear, tmp_path, protocol="paper")
    assert main(["evaluate", str(tmp_path / "run"), "--thorough"]) == 0
    out = capsys.readouterr().out
    assert "No prediction sets: they need validation images that are not judged" in out
    assert "conformal" not in content_of(tmp_path / "run")


def test_validation_images_that_chose_the_model_fit_no_prediction_sets(
    linear, tmp_path, capsys
):
    data = start(tmp_path / "run")
    relabel(linear, data)
    best = tmp_path / "run" / "best.keras"
    best.touch()
    assert main(["evaluate", str(best), "--thorough"]) == 0
    out = capsys.readouterr().out
    assert "not judged and did not choose the model." in out
    assert evaluate_run(str(best), data, thorough=True, verbose=0).report.conformal


@pytest.mark.parametrize(
    ("ood", "message"),
    [
        (["./none"], "`name` must be one of "),
        (["digits", "digits"], "`ood` must be a list of different names or paths"),
        ("digits", "`ood` must be a list of different names or paths of sets. Receiv"),
        ([3], "`ood` must be a list of different names or paths of sets"),
        (["DATA"], "`ood` must not hold the data set that evaluates the model. Re"),
        (["COLOUR"], r"`ood` must have images of shape \(8, 8, 1\). Received: image"),
    ],
)
def test_other_sets_that_do_not_fit_are_refused(linear, tmp_path, ood, message):
    data = start(tmp_path / "run")
    colour = tmp_path / "colour.npz"
    x = np.zeros((4, 8, 8, 3), "uint8")
    np.savez(colour, x_train=x, y_train=np.arange(4) % 2)
    if isinstance(ood, list):
        names = {"DATA": data, "COLOUR": str(colour)}
        ood = [names.get(name, name) for name in ood]
    with pytest.raises(ValueError, match=message):
        evaluate_run(str(tmp_path / "run"), ood=ood, verbose=0)
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_errors_of_the_command(linear, tmp_path, capsys):
    start(tmp_path / "run")
    run = str(tmp_path / "run")
    assert main(["evaluate", run, "--bootstrap=-1"]) == 1
    text = "keras-mixvit: `bootstrap` must be an integer of at least 0. Received: "
    assert capsys.readouterr().err.startswith(text)
    assert main(["evaluate", run, "--ood=./nowhere"]) == 1
    assert capsys.readouterr().err.startswith("keras-mixvit: `name` must be one of")
    with pytest.raises(SystemExit):
        main(["evaluate", run, "--bootstrap=many"])
