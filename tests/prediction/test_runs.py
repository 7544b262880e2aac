"""Runs that do not fit together, are old, or whose images are gone."""

import json
import re
import sys

import pytest

from keras_mixvit.prediction import predict
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._predict import predictions
from keras_mixvit.training._run_settings import RunSettings
from tests.prediction.files import CLASSES, linear, pictures, write_run

RUNS = sys.modules["keras_mixvit.prediction._runs"]
SOURCES = sys.modules["keras_mixvit.prediction._sources"]
X = pictures(2)
NUMBERS = {"0", "1", "2", "3"}


@pytest.fixture(autouse=True)
def models(monkeypatch):
    """The model of each run, by the name of its folder."""
    found = {name: linear(seed) for seed, name in enumerate(("a", "b", "single"))}
    monkeypatch.setattr(SOURCES, "load_model", lambda file: found[file.parent.name])
    return found


def refused(run, text, **options):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        predict(run, X, **options)


def told(run, **options):
    """The predictions, and the sentences about what is missing."""
    sentences = []
    found = predictions(run, X, Options(**options), tell=sentences.append)
    return list(found), sentences


def test_what_is_no_run_is_refused(tmp_path):
    place = str(tmp_path / "missing")
    refused(place, f"`run` must hold a model.keras. Received: run={place!r}")
    wanted = "`run` must be the path of a run, a sequence of paths, or a model of this "
    for run in ([], 3, None, [3]):
        refused(run, wanted)


def test_one_run_is_no_ensemble_of_itself(tmp_path, models):
    write_run(tmp_path / "a", models["a"])
    again = tmp_path / "b" / ".." / "a"
    (tmp_path / "b").mkdir()
    refused([tmp_path / "a", again], "`runs` must not hold one run twice. Received: ")


def test_runs_of_other_classes_are_refused(tmp_path, models):
    for name in "ab":
        write_run(tmp_path / name, models[name])
    file = tmp_path / "b" / "run.json"
    file.write_text(file.read_text().replace('"ant"', '"emu"'))
    text = "`runs` must have the same classes, in the same order. Received: classes="
    refused([tmp_path / "a", tmp_path / "b"], text)


def test_runs_of_other_images_are_refused(tmp_path, models):
    models["b"] = linear(shape=(4, 4, 3))
    for name in "ab":
        write_run(tmp_path / name, models[name])
    text = "`models` must have the same images (H, W, C) and classes K."
    refused([tmp_path / "a", tmp_path / "b"], text)


def test_runs_that_average_other_things_are_refused(tmp_path, models):
    models["b"].ensemble_of = "probabilities"
    for name in "ab":
        write_run(tmp_path / name, models[name])
    text = "`runs` must all average logits, or all average probabilities. Received: "
    refused([tmp_path / "a", tmp_path / "b"], text)


def test_runs_that_held_out_other_images_have_no_sets(tmp_path, models):
    write_run(tmp_path / "a", models["a"], seed=3)
    write_run(tmp_path / "b", models["b"], seed=4)
    runs = [tmp_path / "a", tmp_path / "b"]
    text = "`runs` must have held out the same validation images."
    with pytest.raises(ValueError, match=re.escape(text)):
        predict(runs, X, sets=0.1)
    found, sentences = told(runs)
    assert found[0].unlike_training is None
    assert text in sentences[0]


def test_a_run_without_validation_images_has_no_sets(tmp_path, models):
    write_run(tmp_path / "a", models["a"], val=0, protocol="paper")
    text = "`sets` must not be set before the validation images were read once. "
    refused(tmp_path / "a", text, sets=0.1)
    found, sentences = told(tmp_path / "a")
    assert found[0].unlike_training is None
    assert found[0].unlikeness is not None
    assert set(found[0].classes) <= set(CLASSES)
    assert "must have validation images that it was not trained on" in sentences[0]


def test_a_part_of_the_training_images_is_a_validation_split(tmp_path, models):
    write_run(tmp_path / "a", models["a"], val=0, val_share=0.5)
    found, _ = told(tmp_path / "a", sets=0.5)
    assert found[0].unlike_training in (True, False)
    stored = json.loads((tmp_path / "a" / "prediction.json").read_text())
    assert [about["samples"] for about in stored["networks"].values()] == [4]


def test_images_that_chose_the_model_fit_no_sets(tmp_path, models):
    write_run(tmp_path / "a", models["a"])
    best = tmp_path / "a" / "best.keras"
    best.touch()
    text = "`sets` must not be set for best.keras, because the validation images "
    refused(best, text, sets=0.1)
    assert told(best)[0][0].unlike_training in (True, False)


def test_validation_images_that_changed_are_told(tmp_path, models):
    write_run(tmp_path / "a", models["a"], seed=3)
    data = tmp_path / "a" / "data.npz"
    write_run(tmp_path / "b", models["b"], seed=4)
    data.write_bytes((tmp_path / "b" / "data.npz").read_bytes())
    found, sentences = told(tmp_path / "a")
    assert found[0].unlike_training is None
    assert "its validation images have changed" in sentences[0]
    assert not (tmp_path / "a" / "prediction.json").exists()


def test_the_single_network_of_a_run_is_one_too(tmp_path, models):
    write_run(tmp_path / "a", models["a"])
    (tmp_path / "a" / "single").mkdir()
    (tmp_path / "a" / "single" / "model.keras").touch()
    found, _ = told(tmp_path / "a" / "single", sets=0.1)
    assert set(found[0].classes) <= set(CLASSES)
    assert (tmp_path / "a" / "single" / "prediction.json").is_file()


def test_a_run_that_stored_no_names_takes_them_from_its_images(tmp_path, models):
    write_run(tmp_path / "a", models["a"], facts=False)
    found, _ = told(tmp_path / "a", sets=0.1)
    assert set(found[0].classes) <= set(CLASSES)
    # They are stored, too.
    (tmp_path / "a" / "data.npz").unlink()
    assert told(tmp_path / "a", sets=0.1)[0] == found


def test_a_run_of_an_older_version_whose_images_are_gone_says_so(tmp_path, models):
    write_run(tmp_path / "a", models["a"], facts=False)
    (tmp_path / "a" / "data.npz").unlink()
    found, sentences = told(tmp_path / "a")
    assert set(found[0].classes) <= NUMBERS
    assert sentences[0].startswith("No image gets the flag `unlike_training`: ")
    assert sentences[1] == (
        "Classes have numbers as names: the run does not store their names, and its "
        "images are not available."
    )
    text = (
        "`sets` must not be set before the validation images were read once. Where "
        "they are available, run `keras-mixvit evaluate RUN`, or predict with several "
        "runs; this stores the scores that sets need. `name` must be one of "
    )
    refused(tmp_path / "a", text, sets=0.1)


def test_a_run_of_version_0_1_says_what_to_do(tmp_path):
    (tmp_path / "a").mkdir()
    for name in ("model.keras", "recipe.json"):
        (tmp_path / "a" / name).touch()
    found, sentences = told(tmp_path / "a")
    assert set(found[0].classes) <= NUMBERS
    assert "This run is of version 0.1" in sentences[0]
    with pytest.raises(ValueError, match=r"This run is of version 0\.1"):
        predict(tmp_path / "a", X, sets=0.1)


def test_a_folder_that_cannot_be_written_is_no_obstacle(tmp_path, models, monkeypatch):
    def refuse(*arguments):
        raise OSError("read only")

    monkeypatch.setattr(RUNS, "write_held_out", refuse)
    write_run(tmp_path / "a", models["a"])
    assert told(tmp_path / "a", sets=0.1)[0][0].prediction_set is not None


def test_whether_probabilities_are_calibrated_is_told(tmp_path, models):
    write_run(tmp_path / "a", models["a"])
    text = (
        "Probabilities are not calibrated: `keras-mixvit evaluate RUN --calibrate` "
        "fits a temperature and saves it."
    )
    assert told(tmp_path / "a")[1] == [text]
    assert told(tmp_path / "a", temperature=1)[1] == []
    models["a"].temperature = 2.0
    assert told(tmp_path / "a")[1] == []


def test_a_damaged_store_is_told(tmp_path, models):
    write_run(tmp_path / "a", models["a"])
    (tmp_path / "a" / "prediction.json").write_text("{")
    refused(tmp_path / "a", "`run` must be the folder of a run, with an intact pred")
    settings = RunSettings.read(tmp_path / "a")
    assert settings.facts["data"]["classes"] == list(CLASSES)
