"""Names of sets, and paths."""

from pathlib import Path

import numpy as np
import pytest

from keras_mixvit.data import load
from keras_mixvit.data.sets._load import data_label, is_data_path
from tests.data.sets.test_load_arrays import X, Y


@pytest.mark.parametrize("name", ["mnist", "missing.npz", "missing.csv", ""])
def test_an_unknown_name_is_refused(name):
    text = (
        r"`name` must be one of 'digits', 'cifar10', .*, 'tfds:NAME', 'hf:NAME', "
        r"'wds:PATH', or an existing \.npz file or folder\. "
        rf"Received: name='{name}'"
    )
    with pytest.raises(ValueError, match=text):
        load(name)


def test_an_empty_name_is_not_data_dir_itself(tmp_path):
    (tmp_path / "ant").mkdir()
    with pytest.raises(ValueError, match=r"folder\. Received: name=''"):
        load("", data_dir=tmp_path)


# Names and paths.


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("cifar100", False),
        ("flowers", False),
        ("tfds:mnist", False),
        ("tfds:downsampled_imagenet/64x64", False),
        ("", False),
        ("./cifar100", True),
        ("cifar100/", True),
        ("a/b", True),
        ("/data", True),
        (".", True),
        ("..", True),
        ("mine.npz", True),
        ("mine.NPZ", True),
        ("cifar-10-python.tar.gz", True),
        (Path("cifar100"), True),
    ],
)
def test_a_string_is_a_path_by_its_separator_or_suffix(text, expected):
    assert is_data_path(text) is expected


def test_a_name_means_the_set_whatever_lies_in_the_working_directory(
    tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    official = tmp_path / "official"
    official.mkdir()
    for name in ("digits", "cifar100"):
        folder = tmp_path / name
        folder.mkdir()
        np.save(folder / "x_train.npy", X)
        np.save(folder / "y_train.npy", Y)
    images = np.zeros((3, 32, 32, 3), "uint8")
    save_named = {"x_train": images, "y_train": Y[:3], "x_test": images}
    np.savez(official / "cifar100.npz", **save_named, y_test=Y[:3])
    assert load("digits").images.shape == (1000, 8, 8, 1)
    assert load("./digits").images.shape == (6, 4, 4, 1)
    assert load(Path("digits")).images.shape == (6, 4, 4, 1)
    assert load("cifar100", data_dir=official).images.shape == (3, 32, 32, 3)
    assert load("./cifar100").images.shape == (6, 4, 4, 1)


@pytest.mark.parametrize("inside", [False, True])
def test_a_folder_named_without_a_separator_gets_a_hint(inside, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "data" if inside else tmp_path
    (folder / "flowers" / "ant").mkdir(parents=True)
    text = (
        r"existing \.npz file or folder\. Write '\./flowers' to name the file or "
        r"folder 'flowers'\. Received: name='flowers'"
    )
    data_dir = folder if inside else None
    with pytest.raises(ValueError, match=text):
        load("flowers", data_dir=data_dir)
    with pytest.raises(ValueError, match="Every class must have an image in the train"):
        load("./flowers", data_dir=data_dir)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("cifar100", "cifar100"),
        ("/data/flowers", "flowers"),
        ("./flowers/", "flowers"),
        ("/data/mine.npz", "mine.npz"),
        ("/data/cifar100", "/data/cifar100"),
        ("tfds:downsampled_imagenet/64x64", "tfds:downsampled_imagenet/64x64"),
    ],
)
def test_a_table_tells_a_named_set_from_a_folder_of_that_name(name, label):
    assert data_label(name) == label
