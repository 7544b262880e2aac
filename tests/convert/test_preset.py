"""What a preset stores, and presets that are damaged."""

import json
import re

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.convert import read_preset
from tests.convert.files import cut, save_model
from tests.convert.hub_cases import BYTES
from tests.helpers import set_weights, tiny_cait

pytestmark = pytest.mark.one_backend
NAMES = ["cat", "dog", "<b>*owl*</b>"]


@pytest.fixture
def preset(tmp_path):
    model = SingleNetwork(tiny_cait(num_blocks=1), 3, temperature=1.5)
    set_weights(model)
    folder = tmp_path / "preset"
    model.save_to_preset(folder, NAMES, "mit", "## Training\n\nOn pets.\n")
    return folder


def changed(folder, **changes):
    path = folder / "config.json"
    config = json.loads(path.read_text())
    path.write_text(json.dumps({**config, **changes}))
    return folder


def test_stores_names_preparation_and_license(preset):
    found = read_preset(preset)
    assert found.class_names == tuple(NAMES)
    assert found.license == "mit"
    assert found.preprocessing == {"image_shape": [8, 12, 3], "value_range": [0, 255]}
    assert found.path == preset / "model.safetensors"
    assert found.model["class_name"] == "SingleNetwork"


def test_the_card_says_how_to_use_it(preset):
    text = (preset / "README.md").read_text(encoding="utf-8")
    _, head, body = text.split("---\n", 2)
    facts = dict(line.split(": ", 1) for line in head.splitlines())
    assert json.loads(facts["license"]) == "mit"
    assert json.loads(facts["library_name"]) == "keras_mixvit"
    assert json.loads(facts["pipeline_tag"]) == "image-classification"
    assert 'keras_mixvit.SingleNetwork.from_preset("hf://OWNER/NAME")' in body
    assert "(n, 8, 12, 3)" in body
    assert "cat, dog, &lt;b\\>\\*owl\\*&lt;/b\\>" in body
    assert "temperature 1.5" in body
    assert "## Training\n\nOn pets." in body
    count = SingleNetwork.from_preset(preset).count_params()
    assert f"{count:,} parameters" in body


def test_a_card_of_subnetworks_counts_them(tmp_path):
    model = MixViT(tiny_cait(num_blocks=1), 2, num_subnetworks=3)
    model.save_to_preset(tmp_path / "preset")
    text = (tmp_path / "preset" / "README.md").read_text(encoding="utf-8")
    assert "holds 3 subnetworks" in text
    assert "license:" not in text
    assert "Not given." in text
    assert "## Classes" not in text
    assert "## Calibration" not in text


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"class_names": ["cat"]},
            "`class_names` must be 3 strings, or None. Received",
        ),
        ({"class_names": "cat"}, "`class_names` must be 3 strings, or None."),
        ({"class_names": [1, 2, 3]}, "`class_names` must be 3 strings, or None."),
        (
            {"license": " "},
            "`license` must be a name, such as 'mit', or None. Received",
        ),
        ({"license": 3}, "`license` must be a name, such as 'mit', or None."),
        ({"description": 3}, "`description` must be a string, or None."),
    ],
)
def test_wrong_arguments_write_nothing(options, text, tmp_path):
    model = SingleNetwork(tiny_cait(num_blocks=1), 3)
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        model.save_to_preset(tmp_path / "preset", **options)
    assert not (tmp_path / "preset").exists()


def test_a_class_that_keras_does_not_know_is_refused(tmp_path):
    class Mine(SingleNetwork):
        pass

    model = Mine(tiny_cait(num_blocks=1), 3)
    message = "must be of a class that is registered with Keras"
    with pytest.raises(ValueError, match=message):
        model.save_to_preset(tmp_path / "preset")
    assert not (tmp_path / "preset").exists()


def test_a_folder_in_use_stays_as_it_is(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    model = SingleNetwork(tiny_cait(num_blocks=1), 3)
    with pytest.raises(ValueError, match=r"^`folder` must be a new or empty folder\."):
        model.save_to_preset(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_what_is_of_timm_is_no_preset(tmp_path):
    folder = save_model(tmp_path / "timm", BYTES)
    with pytest.raises(ValueError, match="a preset that `save_to_preset` wrote"):
        read_preset(folder)


def test_a_newer_format_is_refused(preset):
    changed(preset, format_version=2, keras_mixvit="9.0")
    message = (
        "`name` must be a preset of format version 1; a newer keras_mixvit may read "
        "others. Received: format_version=2, written_by='9.0'"
    )
    for read in (read_preset, SingleNetwork.from_preset):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
            read(preset)


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": {}},
        {"model": {"config": {"backbone": 3}}},
        {"class_names": "abc"},
        {"class_names": [1]},
        {"preprocessing": None},
        {"preprocessing": {"image_shape": [8, 8]}},
        {"preprocessing": {"image_shape": [8, 8, 0]}},
        {"license": 3},
    ],
)
def test_a_damaged_config_is_refused(change, preset):
    changed(preset, **change)
    message = "`name` must be a preset with an intact config.json. Received: config="
    for read in (read_preset, SingleNetwork.from_preset):
        with pytest.raises(ValueError, match=f"^{re.escape(message)}"):
            read(preset)


@pytest.mark.parametrize("name", [None, "builtins>eval", "Functional", 3])
def test_only_models_of_a_registered_class_are_built(name, preset):
    config = json.loads((preset / "config.json").read_text())
    changed(preset, model={**config["model"], "registered_name": name})
    with pytest.raises(ValueError, match="a preset of a model that is registered"):
        SingleNetwork.from_preset(preset)


def test_cut_weights_are_refused(preset):
    cut(preset / "model.safetensors")
    with pytest.raises(ValueError, match=r"must be an intact \.safetensors file"):
        SingleNetwork.from_preset(preset)


@pytest.mark.parametrize("damage", ["missing", "unexpected", "shape", "nan"])
def test_weights_that_do_not_fit_are_listed(damage, preset):
    path = preset / "model.safetensors"
    arrays = load_file(path)
    if damage == "missing":
        del arrays["norm/gamma"]
    elif damage == "unexpected":
        arrays["extra"] = np.zeros(2, "float32")
    elif damage == "shape":
        arrays["norm/gamma"] = np.zeros(3, "float32")
    else:
        arrays["norm/gamma"] = np.full_like(arrays["norm/gamma"], np.nan)
    save_file(arrays, path)
    text = {
        "missing": "missing=['norm/gamma']",
        "unexpected": "unexpected=['extra']",
        "shape": "shapes={'norm/gamma': '(3,) instead of (16,)'}",
        "nan": "not_finite={'norm/gamma': '16 of 16 values'}",
    }[damage]
    with pytest.raises(ValueError, match=re.escape(text)):
        SingleNetwork.from_preset(preset)
