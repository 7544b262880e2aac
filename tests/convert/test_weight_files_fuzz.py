"""Damaged files of weights and configs of others end in one sentence."""

import io
import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st
from safetensors.numpy import save as to_safetensors

from keras_mixvit.backbones import Backbone
from keras_mixvit.convert import (
    Conversion,
    fetch,
    load_timm_weights,
    pretrained_backbone,
    read_weights,
    timm_weights,
)
from tests.convert.files import CONFIG, save_model
from tests.damage import damages, untouched
from tests.helpers import tiny_cait
from tests.properties import holds, outcome

# PyTorch warns of protocols of pickles that are none.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")
WEIGHTS = {
    "head.weight": np.arange(6, dtype="float32").reshape(2, 3),
    "head.bias": np.array([0.5, -0.5], "float32"),
}


def content_of(suffix):
    file = io.BytesIO()
    if suffix == ".npz":
        np.savez(file, **WEIGHTS)
    elif suffix == ".safetensors":
        return to_safetensors(WEIGHTS)
    else:
        torch = pytest.importorskip("torch")
        torch.save({name: torch.tensor(a) for name, a in WEIGHTS.items()}, file)
    return file.getvalue()


def check_reading(content, suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"weights{suffix}"
        path.write_bytes(content)
        with untouched(folder):
            found, refusal = outcome(read_weights, path)
    if refusal is not None:
        assert refusal.startswith("`path` must be an intact ")
        assert "\n" not in refusal
        return
    for name, array in found.items():
        assert isinstance(name, str)
        assert isinstance(array, np.ndarray)
        assert array.dtype.kind != "O"


@holds(
    few=45,
    many=5000,
    damage=damages(),
    suffix=st.sampled_from([".npz", ".safetensors", ".pth"]),
)
def test_damaged_weights_are_read_or_refused(damage, suffix):
    check_reading(damage(content_of(suffix)), suffix)


@holds(
    few=30,
    many=2000,
    content=st.binary(max_size=60),
    suffix=st.sampled_from([".npz", ".safetensors", ".pth", ".bin"]),
)
def test_any_bytes_are_read_or_refused(content, suffix):
    if suffix in (".pth", ".bin"):
        pytest.importorskip("torch")
    check_reading(content, suffix)


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [10**18], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [1], "data_offsets": [-4, 0]}},
        {"a": {"dtype": "F99", "shape": [1], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F8_E4M3", "shape": [4], "data_offsets": [0, 4]}},
        {"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}},
        {"a": None},
        [],
        {},
    ],
)
def test_headers_of_safetensors_that_are_wrong_are_refused(header):
    text = json.dumps(header).encode()
    check_reading(len(text).to_bytes(8, "little") + text + bytes(4), ".safetensors")


TIMM = timm_weights(tiny_cait(num_blocks=1, num_class_blocks=1))
ARRAYS = [
    np.zeros(0, "float32"),
    np.array(1.0),
    np.zeros((3, 3), "int64"),
    np.array(["a"]),
    np.zeros((2, 2, 2, 2, 2), "float32"),
    np.array([1 + 2j]),
    np.array([True]),
]


@holds(
    few=20,
    many=500,
    name=st.sampled_from([*sorted(TIMM), "unknown", ""]),
    array=st.sampled_from([*range(len(ARRAYS)), None, "missing", "nan"]),
)
def test_weights_that_do_not_fit_are_refused_and_change_nothing(name, array):
    model = tiny_cait(num_blocks=1, num_class_blocks=1)
    before = model.get_weights() if hasattr(model, "get_weights") else None
    weights = dict(TIMM)
    if array == "missing":
        weights.pop(name, None)
    elif array == "nan":
        shape = weights.get(name, np.zeros(1)).shape
        weights[name] = np.full(shape, np.nan, "float32")
    else:
        weights[name] = None if array is None else ARRAYS[array]
    found, refusal = outcome(load_timm_weights, model, weights)
    if refusal is None:
        assert isinstance(found, Conversion)
        return
    assert " must " in refusal
    if before is not None:
        for new, old in zip(model.get_weights(), before, strict=True):
            np.testing.assert_array_equal(new, old)


JSON = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(-3, 3),
        st.floats(),
        st.text(max_size=4),
        st.sampled_from([10**400, 10**9, 0, "cait_xxs24_224", [3, 32, 32], [3, 33, 1]]),
    ),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=4,
)
PLACES = [
    ("architecture",),
    ("num_classes",),
    ("pretrained_cfg",),
    ("pretrained_cfg", "input_size"),
    ("pretrained_cfg", "mean"),
    ("pretrained_cfg", "std"),
]


@holds(few=40, many=1500, place=st.sampled_from(PLACES), value=JSON)
def test_any_value_in_a_config_is_used_or_refused(place, value):
    config = json.loads(json.dumps(CONFIG))
    target = config
    for key in place[:-1]:
        target = target[key]
    target[place[-1]] = value
    changes = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder) / "cait", WEIGHTS, config)
        with untouched(folder):
            found, refusal = outcome(
                lambda: pretrained_backbone(f"{folder}/cait", changes=changes)
            )
    if refusal is None:
        assert isinstance(found.backbone, Backbone)
        assert found.num_classes >= 1
    else:
        assert " must " in refusal
        assert "Received: " in refusal


@holds(few=20, many=1000, damage=damages())
def test_a_damaged_config_is_read_or_refused(damage):
    with tempfile.TemporaryDirectory() as folder:
        path = save_model(Path(folder) / "cait", WEIGHTS) / "config.json"
        path.write_bytes(damage(path.read_bytes()))
        with untouched(folder):
            found, refusal = outcome(fetch, f"{folder}/cait")
    if refusal is None:
        assert isinstance(found[0], dict)
    else:
        assert refusal.startswith("`name` must have ")
