"""Damaged and hostile shards end in one sentence, and write nothing beside them."""

import json
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.data import load
from keras_mixvit.data.sources import _shard_cache as shard_cache
from tests.damage import damages, untouched
from tests.data.shards import encoded, sample, tar_of
from tests.properties import holds, outcome

pytestmark = pytest.mark.one_backend
WHOLE = tar_of(
    *sample("a/0", 0, 0),
    *sample("long" * 60, 1, 1),
    *sample("2", 2, {"label": 1}),
    ("classes.json", b"{}"),
)


def check(content, split="train"):
    """Reads all of a shard, or gets a sentence of ours; leaves nothing behind."""
    with (
        tempfile.TemporaryDirectory() as base,
        pytest.MonkeyPatch.context() as monkeypatch,
    ):
        folder, caches = Path(base, "set"), Path(base, "caches")
        monkeypatch.setattr(shard_cache, "cache_folder", lambda: caches)
        folder.mkdir()
        (folder / "0.tar").write_bytes(content)
        with untouched(folder):
            for _ in ("scanned", "from the cache"):
                found, refusal = outcome(read_all, f"wds:{folder}")
        assert {path.name for path in Path(base).iterdir()} <= {"set", "caches"}
    if refusal is not None:
        assert " must " in refusal
        assert "Received: " in refusal
        return
    images, labels, names = found
    assert images.shape[1:] == (8, 8, 3)
    assert len(images) == len(labels)
    assert labels.max() < len(names)


def read_all(name):
    found = load(name)
    return found.images[:], found.labels, found.class_names


@holds(few=60, many=3000, damage=damages())
def test_a_damaged_shard_is_read_or_refused(damage):
    check(damage(WHOLE))


@holds(
    few=60,
    many=3000,
    place=st.integers(0, 511),
    value=st.binary(min_size=1, max_size=16),
    member=st.integers(0, 2),
)
def test_a_damaged_header_with_a_right_sum_is_read_or_refused(place, value, member):
    content = bytearray(WHOLE)
    start = 1024 * member
    content[start + place : start + place + len(value)] = value
    header = content[start : start + 512]
    header[148:156] = b" " * 8
    content[start + 148 : start + 156] = b"%06o\0 " % sum(header)
    check(bytes(content))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["label", "x"]), inner, max_size=2)
    ),
    max_leaves=5,
)


@holds(few=60, many=2000, name=st.text(max_size=30), value=VALUES, text=st.binary())
def test_any_name_and_label_is_read_or_refused(name, value, text):
    label = json.dumps(value).encode()
    name = name.replace("\0", "")
    members = [*sample("0", 0, 0), (f"{name}.png", encoded(1)), (f"{name}.json", label)]
    with np.errstate(all="raise"):
        check(tar_of(*members))
        check(tar_of(*sample("0", 0, 0), ("1.png", encoded(1)), ("1.cls", text)))
