"""The model cards of exported runs."""

import dataclasses
import json
import shutil

import numpy as np
import pytest

from keras_mixvit import Ensemble, SingleNetwork, load_model
from keras_mixvit.convert import read_preset
from keras_mixvit.recipes import read_recipe, recipe_text
from keras_mixvit.training import export
from tests.helpers import images, numpy, tiny_cait

pytestmark = pytest.mark.one_backend


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "model.keras"
    SingleNetwork(tiny_cait(num_blocks=1), 3).save(path)
    return path


def test_a_preset_tells_the_training_and_its_results(command_run, tmp_path):
    run = shutil.copytree(command_run.folder, tmp_path / "run")
    path = export(run, "preset", license="mit")
    assert path == run / "export" / "preset"
    model = load_model(run / "model.keras")
    again = type(model).from_preset(path)
    x = images(2, model.image_shape)
    np.testing.assert_array_equal(numpy(again(x)), numpy(model(x)))
    found = read_preset(path)
    assert (found.license, len(found.class_names)) == ("mit", model.num_classes)
    card = (path / "README.md").read_text(encoding="utf-8")
    recipe = (run / "recipe.toml").read_text().strip()
    path = read_recipe(run / "recipe.toml").data.name
    assert recipe.replace(path, "three.npz") in card
    assert path not in card
    rows = json.loads((run / "result.json").read_text())["rows"]
    for row in rows:
        assert f"| {row['model']} | {row['accuracy']:.2%} | " in card


def test_a_preset_takes_the_temperature(file, tmp_path):
    output = str(tmp_path / "preset")
    export(file, "preset", output, temperature=3.0)
    assert SingleNetwork.from_preset(output).temperature == 3.0
    card = (tmp_path / "preset" / "README.md").read_text(encoding="utf-8")
    assert "temperature 3:" in card
    # A .keras file has no run to tell of.
    assert "## Training" not in card


def test_options_of_other_formats_are_refused(file, tmp_path):
    with pytest.raises(ValueError, match="`image_dtype` must be 'float32' for a"):
        export(file, "preset", image_dtype="uint8")
    with pytest.raises(ValueError, match="`license` must not be set, except for a"):
        export(file, "keras", license="mit")


def test_an_ensemble_is_no_preset(file, tmp_path):
    models = [load_model(file), load_model(file)]
    ensemble = tmp_path / "ensemble.keras"
    Ensemble(models).save(ensemble)
    with pytest.raises(ValueError, match="must be of a model with a backbone"):
        export(ensemble, "preset")


def test_a_preset_does_not_tell_where_files_are(command_run, tmp_path):
    run = shutil.copytree(command_run.folder, tmp_path / "run")
    recipe = read_recipe(run / "recipe.toml")
    data = dataclasses.replace(recipe.data, name=str(tmp_path / "photos.npz"))
    preset = str(tmp_path / "old")
    changed = recipe.replace(data=data, preset=preset, backbone="convit")
    (run / "recipe.toml").write_text(recipe_text(changed))
    card = (export(run, "preset") / "README.md").read_text(encoding="utf-8")
    assert "Trained on `photos.npz`" in card
    assert 'preset = "old"' in card
    assert str(tmp_path) not in card
