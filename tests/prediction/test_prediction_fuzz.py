"""Damaged arrays and stored facts end in one sentence, or in a row with an error."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.prediction import predict
from keras_mixvit.training._held_out import (
    NAME,
    HeldOut,
    read_held_out,
    write_held_out,
)
from tests.damage import damages, places
from tests.prediction.files import CLASSES, linear, pictures
from tests.properties import holds, outcome

pytestmark = pytest.mark.one_backend

MODEL = linear()
HELD = HeldOut(CLASSES, 3, -1.5, (0.25, 0.5, 0.75), 1.5)


def content(suffix):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        (np.savez if suffix == ".npz" else np.save)(path, pictures(20))
        return path.read_bytes()


ARRAYS = {suffix: content(suffix) for suffix in (".npz", ".npy")}


@holds(few=25, suffix=st.sampled_from(sorted(ARRAYS)), damage=damages())
def test_damaged_arrays(suffix, damage):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"a{suffix}"
        path.write_bytes(damage(ARRAYS[suffix]))
        found, refusal = outcome(lambda: list(predict(MODEL, path, workers=0)))
        assert refusal is None or (" must " in refusal and "Received: " in refusal)
        assert found is None or 1 <= len(found) <= 20


def changed(tree, place, value):
    if not place:
        return value
    tree = tree.copy()
    tree[place[0]] = changed(tree[place[0]], place[1:], value)
    return tree


with tempfile.TemporaryDirectory() as made:
    write_held_out(Path(made), "key", HELD)
    STORED = (Path(made) / NAME).read_text()


@pytest.mark.parametrize("place", list(places(json.loads(STORED))))
@pytest.mark.parametrize(
    "value", [None, [], {}, "a", -1, 1.5, True, [2.0], 10**400, float("nan")]
)
def test_stored_facts_are_used_or_refused(place, value, tmp_path):
    tree = changed(json.loads(STORED), place, value)
    (tmp_path / NAME).write_text(json.dumps(tree))
    found, refusal = outcome(read_held_out, tmp_path, "key")
    if refusal is not None:
        assert refusal.startswith("`run` must be the folder of a run, ")
        assert "Received: " in refusal
    elif found is not None:
        assert found.sets(0.1) is not None or found.misses is None


@holds(few=25, damage=damages())
def test_damaged_facts(damage):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / NAME).write_bytes(damage(STORED.encode()))
        _, refusal = outcome(read_held_out, Path(folder), "key")
        assert refusal is None or "Received: " in refusal


def test_what_was_written_is_read(tmp_path):
    write_held_out(tmp_path, "one", HELD)
    other = HeldOut(("a", "b"), 2, 0.5, None)
    write_held_out(tmp_path, "two", other)
    assert read_held_out(tmp_path, "one") == HELD
    assert read_held_out(tmp_path, "two") == other
    assert read_held_out(tmp_path, "three") is None
    # What somebody damaged is made again.
    (tmp_path / NAME).write_text("{")
    write_held_out(tmp_path, "one", HELD)
    assert read_held_out(tmp_path, "one") == HELD
