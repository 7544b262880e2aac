"""Damaged and hostile files of arrays end in one sentence, and run nothing."""

import io
import pickle
import tempfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit.data import ImageArray, load
from keras_mixvit.data.sets._array_unpickler import ArrayUnpickler
from keras_mixvit.data.sets._cifar import ARCHIVES, records
from tests.convert.files import RunsCode
from tests.damage import damages, untouched
from tests.properties import holds, outcome

ARRAYS = {
    "x_train": np.arange(96, dtype="uint8").reshape(6, 4, 4, 1),
    "y_train": np.array([0, 1, 2, 0, 1, 2]),
    "x_test": np.arange(32, dtype="uint8").reshape(2, 4, 4, 1),
    "y_test": np.array([1, 2]),
    "classes": np.array(["ant", "bee", "cat"]),
}


def npz(arrays, **changes):
    file = io.BytesIO()
    np.savez(file, **{**arrays, **changes})
    return file.getvalue()


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


WHOLE = npz(ARRAYS)


def read_all(images):
    """Everything that a training looks at."""
    found = images.images[np.arange(len(images.images))]
    images.statistics()
    return found, images.labels, images.class_names


def checked(path, split="train"):
    """The outcome of a set that is read whole, whose text must be ours."""
    found, refusal = outcome(lambda: read_all(load(path, split)))
    if refusal is not None:
        assert " must " in refusal
        assert "Received: " in refusal
    return found, refusal


@holds(few=60, many=3000, damage=damages(), split=st.sampled_from(["train", "test"]))
def test_a_damaged_npz_is_read_or_refused(damage, split):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        path.write_bytes(damage(WHOLE))
        with untouched(folder):
            checked(path, split)


@holds(
    few=60,
    many=3000,
    damage=damages(),
    name=st.sampled_from(sorted(ARRAYS)),
)
def test_a_damaged_npy_is_read_or_refused(damage, name):
    with tempfile.TemporaryDirectory() as folder:
        for key, array in ARRAYS.items():
            content = npy(array)
            content = damage(content) if key == name else content
            (Path(folder) / f"{key}.npy").write_bytes(content)
        with untouched(folder):
            checked(folder)


DTYPES = ["uint8", "int8", "int64", "uint64", "float16", "float64", "bool", "<U3"]
DTYPES += ["complex64", "datetime64[s]", "S2", "object", "float32", "V3", "i4,f4"]


@holds(
    few=150,
    many=5000,
    name=st.sampled_from(sorted(ARRAYS)),
    dtype=st.sampled_from(DTYPES),
    shape=st.lists(st.integers(0, 4), max_size=5),
    as_folder=st.booleans(),
)
def test_any_array_in_any_place_is_read_or_refused(name, dtype, shape, as_folder):
    if dtype == "object" and as_folder:
        dtype = "uint8"
    array = np.zeros(shape, dtype)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "set.npz"
        if as_folder:
            path = path.with_name("folder")
            path.mkdir()
            for key, value in {**ARRAYS, name: array}.items():
                np.save(path / f"{key}.npy", value)
        else:
            path.write_bytes(npz(ARRAYS, **{name: array}))
        with untouched(folder):
            checked(path)


@pytest.mark.parametrize("name", sorted(ARRAYS))
@pytest.mark.parametrize("kind", ["object", "raw"])
def test_code_in_an_array_is_not_run(name, kind, tmp_path):
    trace = tmp_path / "trace"
    hostile = np.array([RunsCode(trace)], dtype=object)
    content = npy(hostile) if kind == "object" else pickle.dumps(RunsCode(trace))
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as file:
        for key, array in ARRAYS.items():
            file.writestr(f"{key}.npy", content if key == name else npy(array))
    folder = tmp_path / "folder"
    folder.mkdir()
    for key, array in ARRAYS.items():
        (folder / f"{key}.npy").write_bytes(content if key == name else npy(array))
    wanted = {"x_train", "y_train", "classes"}
    for path in (tmp_path / "set.npz", folder):
        _, refusal = checked(path)
        assert (refusal is None) == (name not in wanted)
        assert not trace.exists()
    (tmp_path / "lone.npy").write_bytes(content)
    with pytest.raises(ValueError, match="without pickled objects"):
        ImageArray(tmp_path / "lone.npy")
    assert not trace.exists()


@pytest.mark.parametrize(
    "shape", ["(1000000000000, 32, 32, 3)", "(-1, 4, 4, 1)", "(2**80,)", "('a',)"]
)
def test_a_header_of_a_huge_or_wrong_shape_is_refused(shape, tmp_path):
    header = f"{{'descr': '|u1', 'fortran_order': False, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    content = b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little")
    content += header.encode() + bytes(64)
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as file:
        for key, array in ARRAYS.items():
            file.writestr(f"{key}.npy", content if key == "x_train" else npy(array))
    _, refusal = checked(tmp_path / "set.npz")
    assert refusal is not None
    (tmp_path / "lone.npy").write_bytes(content)
    with pytest.raises(ValueError, match=r"must be an intact \.npy file"):
        ImageArray(tmp_path / "lone.npy")


def test_members_that_point_out_of_the_archive_write_nothing(tmp_path):
    inner = tmp_path / "inner"
    inner.mkdir()
    with zipfile.ZipFile(inner / "set.npz", "w") as file:
        for key, array in ARRAYS.items():
            file.writestr(f"{key}.npy", npy(array))
        file.writestr("../outside.npy", npy(ARRAYS["y_test"]))
        file.writestr("/outside.npy", b"no array")
    with untouched(tmp_path):
        _, refusal = checked(inner / "set.npz")
    assert refusal is None


def test_names_that_are_no_text_are_refused(tmp_path):
    np.savez(tmp_path / "set.npz", **{**ARRAYS, "classes": np.array([b"\xff", b"a"])})
    with pytest.raises(ValueError, match="`classes` must be names in UTF-8"):
        load(tmp_path / "set.npz")


PICKLED = pickle.dumps(
    {b"data": np.zeros((2, 3072), "uint8"), b"labels": [1, 2], b"x": [None, 1.5]}, 2
)


@holds(few=100, many=10_000, damage=damages())
def test_a_damaged_pickle_makes_plain_values_or_errors(damage):
    content = damage(PICKLED)
    try:
        found = ArrayUnpickler(io.BytesIO(content)).load()
    except Exception:
        # `Cifar` turns all of them into one sentence.
        return
    is_plain(found)


def is_plain(value):
    kinds = (dict, list, tuple, set, frozenset, np.ndarray, np.dtype)
    kinds += (bytes, bytearray, str, int, float, complex, bool, type(None))
    assert (
        isinstance(value, kinds) or value in (np.ndarray, np.dtype) or callable(value)
    )
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, (list, tuple)):
        for item in value:
            is_plain(item)


@holds(few=30, many=3000, content=st.binary(max_size=200), kind=st.integers(0, 1))
def test_records_of_any_bytes_are_read_or_an_error(content, kind):
    archive = ARCHIVES["cifar10"][kind]
    try:
        images, labels = records(io.BytesIO(content), archive)
    except Exception:
        return
    assert len(images) == len(labels)


@holds(few=25, many=1500, damage=damages(), kind=st.integers(0, 1))
def test_damaged_files_of_cifar_are_read_or_refused(damage, kind):
    archive = ARCHIVES["cifar10"][kind]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / archive.folder
        place.mkdir()
        row = bytes(3073)
        whole = PICKLED if kind == 0 else 2 * row
        for members in archive.members.values():
            for member in members:
                (place / member).write_bytes(whole)
        broken = archive.members["test"][0]
        (place / broken).write_bytes(damage(whole))
        with untouched(folder):
            found, refusal = outcome(lambda: load("cifar10", "test", data_dir=folder))
        if refusal is not None:
            assert " must " in refusal
        else:
            assert found.images.shape[1:] == (32, 32, 3)
