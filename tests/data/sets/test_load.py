import re

import keras
import numpy as np
import pytest

from keras_mixvit.data import ImageSet, load
from keras_mixvit.data.sets._load import splits
from tests.data.sets.test_load_arrays import X, Y, save


@pytest.mark.parametrize(("split", "count"), [("train", 1000), ("val", 297)])
def test_digits_have_splits_of_the_documented_size(split, count):
    digits = load("digits", split)
    assert digits.images.shape == (count, 8, 8, 1)
    assert digits.labels.shape == (count,)


def test_digits_are_loaded_from_the_train_split_by_default():
    np.testing.assert_array_equal(load("digits").images, load("digits", "train").images)


def test_digits_have_17_shades_and_10_classes():
    for split in splits("digits"):
        digits = load("digits", split)
        assert set(np.unique(digits.images)) == set(range(17))
        assert set(digits.labels) == set(range(10))
        assert digits.class_names == tuple("0123456789")


def test_splits_of_digits_make_up_the_whole_set():
    labels = [load("digits", split).labels for split in splits("digits")]
    assert [len(part) for part in labels] == [1000, 297, 500]
    # Images per digit, as the UCI repository states for its test part.
    counts = np.bincount(np.concatenate(labels))
    expected = [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]
    assert counts.tolist() == expected


def test_no_image_is_in_two_splits_of_digits():
    parts = [load("digits", split).images for split in splits("digits")]
    rows = np.concatenate(parts).reshape(1797, -1)
    assert len(np.unique(rows, axis=0)) == 1797


def test_an_unknown_split_is_refused():
    text = r"`split` must be one of 'train', 'val', 'test'\. Received: split='all'"
    with pytest.raises(ValueError, match=text):
        load("digits", "all")


@pytest.mark.parametrize("name", ["cifar10", "cifar100"])
def test_cifar_comes_from_keras_datasets(name, monkeypatch):
    test_images = np.full((3, 32, 32, 3), 7, "uint8")
    monkeypatch.setattr(
        getattr(keras.datasets, name),
        "load_data",
        lambda: (
            (np.zeros((5, 32, 32, 3), "uint8"), np.arange(5)[:, None]),
            (test_images, np.arange(3)[:, None]),
        ),
    )
    train, test = load(name), load(name, "test")
    np.testing.assert_array_equal(train.labels, np.arange(5))
    np.testing.assert_array_equal(test.labels, np.arange(3))
    np.testing.assert_array_equal(test.images, test_images)
    assert train.class_names == test.class_names
    assert train.num_classes == {"cifar10": 10, "cifar100": 100}[name]
    assert splits(name) == ("train", "test")


def test_cifar_has_no_validation_split():
    text = (
        r"`split` must be one of 'train', 'test'; `val_share` cuts 'val' from the "
        r"training images\. Received: split='val'"
    )
    with pytest.raises(ValueError, match=text):
        load("cifar10", "val")


@pytest.mark.parametrize("error", [Exception("no route to host"), OSError("refused")])
def test_cifar_without_a_network_says_what_to_do(error, monkeypatch):
    def fail():
        raise error

    monkeypatch.setattr(keras.datasets.cifar10, "load_data", fail)
    text = (
        rf"cifar10 could not be downloaded \({error}\)\. Without a network, put "
        r"cifar-10-python\.tar\.gz into a folder and name it as `data_dir`\."
    )
    with pytest.raises(OSError, match=text):
        load("cifar10")


def test_a_file_is_looked_for_in_data_dir(tmp_path):
    save(tmp_path, x_train=X, y_train=Y)
    assert load("mine.npz", data_dir=tmp_path).num_classes == 3
    assert splits("mine.npz", tmp_path) == ("train",)


def test_statistics_are_those_of_numpy_per_channel():
    images = np.random.default_rng(0).normal(3, 2, (5, 4, 6, 3)).astype("float32")
    mean, std = ImageSet(images, np.zeros(5, int), ("one",)).statistics()
    exact = images.astype("float64").reshape(-1, 3)
    np.testing.assert_allclose(mean, exact.mean(axis=0), rtol=1e-12)
    np.testing.assert_allclose(std, exact.std(axis=0), rtol=1e-12)
    assert all(type(value) is float for value in (*mean, *std))


def test_a_constant_channel_has_the_standard_deviation_1():
    images = np.zeros((5, 4, 6, 2), "uint8")
    images[..., 0] = 200
    images[0, ..., 1] = 250
    mean, std = ImageSet(images, np.zeros(5, int), ("one",)).statistics()
    np.testing.assert_allclose(mean, [200, 50])
    np.testing.assert_allclose(std, [1, 100])


@pytest.mark.parametrize(
    ("images", "labels", "text"),
    [
        (
            X[:5],
            Y,
            r"`images` and `labels` must have the same length\. "
            r"Received: images=5, labels=6",
        ),
        (X, Y + 1, r"`labels` must be in 0 to 2\. Received: range=\(1, 3\)"),
        (X, Y - 1, r"`labels` must be in 0 to 2\. Received: range=\(-1, 1\)"),
        (
            X[..., 0],
            Y,
            r"`images` must have shape \(n, H, W, C\); grey images have C = 1\. "
            r"Received: shape=\(6, 4, 4\)",
        ),
        (
            X.astype("int64"),
            Y,
            r"`images` must be of a floating-point or unsigned-integer dtype\. "
            r"Received: dtype='int64'",
        ),
    ],
)
def test_images_and_labels_that_do_not_match_are_refused(images, labels, text):
    with pytest.raises(ValueError, match=text):
        ImageSet(images, labels, ("ant", "bee", "cat"))


SIZE = "`image_size` must be a positive integer, two of them, or None."


SHARE = "`resize_share` must be in (0, 1]."


NAME = "`name` must be a string or an `os.PathLike`."


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        (None, {}, f"{NAME} Received: name=None"),
        ([], {}, f"{NAME} Received: name=[]"),
        (3, {}, f"{NAME} Received: name=3"),
        ("digits", {"image_size": 1.5}, f"{SIZE} Received: image_size=1.5"),
        ("digits", {"image_size": True}, f"{SIZE} Received: image_size=True"),
        ("digits", {"image_size": "8"}, f"{SIZE} Received: image_size='8'"),
        ("digits", {"image_size": (8, -8)}, f"{SIZE} Received: image_size=(8, -8)"),
        ("digits", {"resize_share": "a"}, f"{SHARE} Received: resize_share='a'"),
        # Without a resize too: the argument would have no effect.
        (
            "digits",
            {"resize_share": 0.5},
            "`resize_share` must be None if images keep their size. Received: "
            "resize_share=0.5, image_size=None",
        ),
        ("digits", {"resize_share": 7}, f"{SHARE} Received: resize_share=7"),
        (
            "digits",
            {"data_dir": 3},
            "`data_dir` must be a string or an `os.PathLike`. Received: data_dir=3",
        ),
        (
            "digits",
            {"leave_out": "0.png"},
            "`leave_out` must be a list of names of files. Received: leave_out='0.png'",
        ),
    ],
)
def test_arguments_of_a_wrong_type_are_refused(name, options, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        load(name, **options)
