"""Presets in place of runs: folders and names of the hub."""

import re
import shutil

import numpy as np
import pytest

from keras_mixvit import ConViT, MixViT, SingleNetwork, predict
from keras_mixvit.cli import main
from keras_mixvit.cli._serve import check_serve
from keras_mixvit.prediction import Prediction
from keras_mixvit.prediction._options import Options
from keras_mixvit.prediction._predict import predictions
from keras_mixvit.prediction._sources import source_of
from keras_mixvit.prediction._words import is_run
from tests.helpers import set_weights
from tests.prediction.files import CLASSES, pictures, write_run

SHAPE = (8, 8, 1)
X = pictures(5, SHAPE)


def saved(folder, kind=MixViT, names=CLASSES, seed=0):
    model = kind(ConViT(SHAPE, 4, 8, 2, 1, 1), len(CLASSES), temperature=1.5)
    set_weights(model, seed)
    model.save_to_preset(folder, class_names=names)
    return model


def told(run, **options):
    """The predictions, and the sentences about what is missing."""
    sentences = []
    found = predictions(run, X, Options(**options), tell=sentences.append)
    return list(found), sentences


def assert_same(found: list[Prediction], expected: list[Prediction]):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.probabilities, other.probabilities, atol=1e-6)
        assert (one.image, one.disagreement) == (other.image, other.disagreement)


def test_a_preset_predicts_as_its_model(tmp_path, monkeypatch):
    model = saved(tmp_path / "mine")
    expected = list(predict(model, X))
    found, sentences = told(tmp_path / "mine")
    assert_same(found, expected)
    assert {name for p in found for name in p.classes} <= set(CLASSES)
    assert found[0].unlike_training is None
    assert sentences == [
        "No image gets the flag `unlike_training`: `run` must be of a training to "
        "have validation images; a preset has none. Received: "
        f"run={[str(tmp_path / 'mine')]!r}"
    ]
    # A relative name is the folder, not a repository of the hub.
    monkeypatch.chdir(tmp_path)
    assert_same(told("mine")[0], expected)
    assert source_of("mine").file == tmp_path / "mine" / "model.safetensors"


def test_presets_and_models_are_one_ensemble(tmp_path):
    models = [saved(tmp_path / name, seed=i) for i, name in enumerate("ab")]
    single = saved(tmp_path / "c", SingleNetwork, seed=2)
    single.save(tmp_path / "c.keras")
    found, _ = told([tmp_path / "a", tmp_path / "b", tmp_path / "c.keras"], top=4)
    logits = [model.inference_network.predict(X, verbose=0) for model in models]
    mean = (2 * logits[0].mean(1) + 2 * logits[1].mean(1)) / 5 / 1.5
    mean += single.predict(X, verbose=0) / 5 / 1.5
    shares = np.exp(mean) / np.exp(mean).sum(-1, keepdims=True)
    expected = -np.sort(-shares, axis=-1)
    np.testing.assert_allclose([p.probabilities for p in found], expected, atol=1e-5)


def test_a_preset_without_names_has_numbers(tmp_path):
    saved(tmp_path / "mine", names=None)
    found, sentences = told(tmp_path / "mine")
    assert {name for p in found for name in p.classes} <= set("0123")
    assert "Classes have numbers as names" in " ".join(sentences)


def test_sets_need_the_validation_images(tmp_path):
    saved(tmp_path / "mine")
    text = "`sets` must not be set before the validation images were read once."
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        told(tmp_path / "mine", sets=0.1)


def test_an_exported_run_keeps_flags_and_sets(tmp_path):
    model = saved(tmp_path / "other")
    write_run(tmp_path / "run", model, SHAPE)
    model.save(tmp_path / "run" / "model.keras")
    expected, _ = told(tmp_path / "run", sets=0.2)
    assert main(["export", str(tmp_path / "run"), "--format=preset"]) == 0
    preset = tmp_path / "run" / "export" / "preset"
    shutil.move(preset, tmp_path / "mine")
    shutil.rmtree(tmp_path / "run")
    found, sentences = told(tmp_path / "mine", sets=0.2)
    assert_same(found, expected)
    assert [p.prediction_set for p in found] == [p.prediction_set for p in expected]
    assert [p.unlike_training for p in found] == [p.unlike_training for p in expected]
    assert None not in [p.unlike_training for p in found]
    assert sentences == []


def test_the_command_takes_presets_and_then_images(tmp_path, capsys):
    saved(tmp_path / "mine")
    np.save(tmp_path / "x.npy", X)
    words = [str(tmp_path / "mine"), str(tmp_path / "x.npy")]
    assert main(["predict", *words, "--format=csv"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 1 + len(X)
    assert main(["predict", words[1], words[0]]) == 1
    assert main(["predict", words[0], words[1], words[0]]) == 1
    error = " ".join(capsys.readouterr().err.split())
    assert "`runs` must come before `images`; a folder with a model.keras, or" in error


def test_a_page_takes_presets(tmp_path, monkeypatch):
    saved(tmp_path / "mine")
    monkeypatch.setattr("keras_mixvit.cli._serve.require_gradio", lambda: None)
    given = {"host": "127.0.0.1", "port": 0, "max_upload": 1.0}
    check_serve([str(tmp_path / "mine"), "hf://owner/name"], **given)
    again = str(tmp_path / "other" / ".." / "mine")
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match=r"^`runs` must not hold one run twice\. Rec"):
        check_serve([str(tmp_path / "mine"), again], **given)
    with pytest.raises(ValueError, match=r"^`run` must hold a model\.keras\. Received"):
        check_serve([str(tmp_path / "other")], **given)


def test_a_name_of_the_hub_is_a_preset(monkeypatch):
    assert is_run("hf://owner/name")
    called = []
    name = "keras_mixvit.prediction._sources.read_preset"

    def refuse(preset):
        called.append(preset)
        raise ConnectionError("no network")

    monkeypatch.setattr(name, refuse)
    with pytest.raises(ConnectionError, match="no network"):
        predict("hf://owner/name", X)
    assert called == ["hf://owner/name"]


def test_a_damaged_preset_is_refused(tmp_path):
    saved(tmp_path / "mine")
    (tmp_path / "mine" / "config.json").write_text("{")
    with pytest.raises(ValueError, match=r"^`name` must have an intact config\.json"):
        predict(tmp_path / "mine", X)
