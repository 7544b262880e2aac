"""Damaged and hostile `.keras` files end in one sentence, and run nothing."""

import copy
import functools
import io
import json
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.backbones import ConViT
from keras_mixvit.models import MIMOModel, SingleNetwork, load_model
from tests.damage import damages, places, untouched
from tests.helpers import LOSS
from tests.properties import holds, outcome

# Keras, and Python's zip files, warn of what they leave out.
pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")


@functools.cache
def saved() -> bytes:
    """A compiled model of few variables, as a file."""
    model = SingleNetwork(ConViT((4, 4, 1), 4, 4, 1, 1, 1), num_classes=2)
    model.compile("sgd", LOSS)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return path.read_bytes()


def members() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(saved())) as file:
        return {name: file.read(name) for name in file.namelist()}


def zipped(content) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, value in content.items():
            archive.writestr(name, value)
    return file.getvalue()


def checked(content, folder):
    """The outcome of loading, whose text must be ours."""
    path = Path(folder) / "inner" / "model.keras"
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with untouched(folder):
        found, refusal = outcome(load_model, path)
    if refusal is not None:
        assert refusal.startswith("`path` must be ")
        assert "Received: path=" in refusal
    else:
        assert isinstance(found, MIMOModel)
    return found, refusal


@holds(few=6, many=400, damage=damages())
def test_a_damaged_file_is_refused(damage):
    content = damage(saved())
    with tempfile.TemporaryDirectory() as folder:
        found, refusal = checked(content, folder)
    if refusal is None:
        # What the zip file's sums do not cover, such as its dates.
        again = [np.asarray(v) for v in found.get_weights()]
        assert all(np.isfinite(v).all() for v in again)


@holds(few=6, many=400, name=st.integers(0, 2), damage=damages())
def test_a_damaged_member_is_read_or_refused(name, damage):
    content = members()
    name = sorted(content)[name % len(content)]
    content[name] = damage(content[name])
    with tempfile.TemporaryDirectory() as folder:
        checked(zipped(content), folder)


VALUES = [None, True, -1, 0, 2.5, float("nan"), 1e308, "", "none", [], {}, [1], 10**30]
VALUES += [
    {"class_name": "system", "config": {}, "module": "os", "registered_name": None},
    {"class_name": "function", "config": "system", "module": "os"},
    {"class_name": "__lambda__", "config": {"value": "x"}, "module": "builtins"},
    {"module": "keras.layers", "class_name": "Lambda", "config": {"function": "x"}},
]


@holds(
    few=12,
    many=1000,
    share=st.floats(0, 1, exclude_max=True),
    value=st.sampled_from(VALUES),
)
def test_any_value_in_a_config_is_read_or_refused(share, value):
    content = members()
    config = json.loads(content["config.json"])
    found = [place for place in places(config) if place]
    *above, last = found[int(share * len(found))]
    target = config
    for key in above:
        target = target[key]
    target[last] = copy.deepcopy(value)
    content["config.json"] = json.dumps(config).encode()
    with tempfile.TemporaryDirectory() as folder:
        checked(zipped(content), folder)


TRACE = "touch {trace}"
CODE = [
    {"module": "os", "class_name": "system", "config": TRACE},
    {"module": "os", "class_name": "system", "config": {"command": TRACE}},
    {"module": "builtins", "class_name": "function", "config": "eval"},
    {"module": "builtins", "class_name": "function", "config": {"module": "os"}},
    {"module": "subprocess", "class_name": "Popen", "config": {"args": ["sh"]}},
    {
        "module": "keras.layers",
        "class_name": "Lambda",
        "config": {"name": "x", "function": {"class_name": "__lambda__", "config": {}}},
    },
]


@pytest.mark.parametrize("code", CODE)
@pytest.mark.parametrize(
    "place", [(), ("config", "backbone"), ("compile_config", "loss"), ("build_config",)]
)
def test_code_that_a_config_names_is_not_run(code, place, tmp_path):
    trace = tmp_path / "trace"
    code = json.loads(json.dumps(code).replace("{trace}", str(trace)))
    content = members()
    config = json.loads(content["config.json"])
    if place:
        target = config
        for key in place[:-1]:
            target = target[key]
        target[place[-1]] = code
    else:
        config = code
    content["config.json"] = json.dumps(config).encode()
    checked(zipped(content), tmp_path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["../outside", "/outside", "..\\outside", "a/../../b"])
def test_members_that_point_out_of_the_file_write_nothing(name, tmp_path):
    checked(zipped({**members(), name: b"content"}), tmp_path)


def test_a_missing_config_is_refused(tmp_path):
    content = members()
    del content["config.json"]
    _, refusal = checked(zipped(content), tmp_path)
    assert refusal is not None
