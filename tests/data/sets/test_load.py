import re
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit.data import ImageArray, ImageSet, load
from keras_mixvit.data.sets._load import data_label, is_data_path, splits

X = np.arange(6 * 4 * 4, dtype="uint8").reshape(6, 4, 4, 1)
Y = np.array([0, 1, 2, 0, 1, 2])


def save(path, **arrays):
    np.savez(path / "mine.npz", **arrays)
    return str(path / "mine.npz")


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


def test_npz_gives_the_arrays_and_names_of_its_split(tmp_path):
    path = save(
        tmp_path,
        x_train=X,
        y_train=Y,
        x_test=X[:2] + 1,
        y_test=Y[:2],
        classes=np.array(["ant", "bee", "cat"]),
    )
    train, test = load(path), load(path, "test")
    np.testing.assert_array_equal(train.images, X)
    np.testing.assert_array_equal(train.labels, Y)
    np.testing.assert_array_equal(test.images, X[:2] + 1)
    assert train.class_names == test.class_names == ("ant", "bee", "cat")
    assert splits(path) == ("train", "test")


def test_npz_without_names_numbers_the_classes_of_its_train_split(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y, x_val=X[:1], y_val=Y[:1])
    assert load(path, "val").class_names == ("0", "1", "2")
    assert load(path, "val").num_classes == 3


def test_npz_may_hold_names_in_bytes(tmp_path):
    names = np.array(["ant", "bee", "épée"])
    names = np.char.encode(names, "utf-8")
    path = save(tmp_path, x_train=X, y_train=Y, classes=names)
    assert load(path).class_names == ("ant", "bee", "épée")


def test_npz_may_be_named_by_a_path_object(tmp_path):
    save(tmp_path, x_train=X, y_train=Y)
    assert load(tmp_path / "mine.npz").num_classes == 3


def test_labels_in_a_column_become_labels(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y[:, None])
    np.testing.assert_array_equal(load(path).labels, Y)


def test_npz_without_the_arrays_of_a_split_is_refused(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y, x_test=X)
    text = r"`split` must be one of 'train'\. Received: split='test'"
    with pytest.raises(ValueError, match=text):
        load(path, "test")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 broken"])
def test_a_file_that_is_no_archive_is_refused(content, tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(content)
    text = (
        r"`name` must be an intact \.npz file without pickled objects\. "
        r"Received: name='.*mine\.npz'"
    )
    with pytest.raises(ValueError, match=text):
        load(path)


def test_an_archive_with_a_damaged_array_is_refused(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y)
    with open(path, "r+b") as file:
        content = bytearray(file.read())
        content[content.find(X.tobytes()) + 20] ^= 0xFF
        file.seek(0)
        file.write(content)
    with pytest.raises(ValueError, match=r"`name` must be an intact \.npz file"):
        load(path)


class Opened:
    """Leaves a file where it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize("array", ["x_train", "y_train", "classes"])
def test_pickled_objects_are_refused_and_never_unpickled(array, tmp_path):
    trace = tmp_path / "trace"
    trap = np.empty(1, object)
    trap[0] = Opened(str(trace))
    path = save(tmp_path, **{"x_train": X, "y_train": Y, array: trap})
    with pytest.raises(ValueError, match="file without pickled objects"):
        load(path)
    assert not trace.exists()


@pytest.mark.parametrize("name", ["mnist", "missing.npz", "missing.csv", ""])
def test_an_unknown_name_is_refused(name):
    text = (
        r"`name` must be one of 'digits', 'cifar10', .*, 'tfds:NAME', or an existing "
        r"\.npz file or folder\. "
        rf"Received: name='{name}'"
    )
    with pytest.raises(ValueError, match=text):
        load(name)


def test_an_empty_name_is_not_data_dir_itself(tmp_path):
    (tmp_path / "ant").mkdir()
    with pytest.raises(ValueError, match=r"folder\. Received: name=''"):
        load("", data_dir=tmp_path)


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


def test_a_folder_of_npy_files_stays_on_the_disk(tmp_path):
    for name, array in {
        "x_train": X,
        "y_train": Y,
        "x_val": X[1:],
        "y_val": Y[1:],
    }.items():
        np.save(tmp_path / f"{name}.npy", array)
    np.save(tmp_path / "classes.npy", np.array(["ant", "bee", "cat"]))
    assert splits(tmp_path) == ("train", "val")
    found = load(tmp_path, "val")
    assert isinstance(found.images, ImageArray)
    assert isinstance(found.images.images, np.memmap)
    np.testing.assert_array_equal(found.images[:], X[1:])
    np.testing.assert_array_equal(found.labels, Y[1:])
    assert found.class_names == ("ant", "bee", "cat")
    assert load(tmp_path, image_size=8).images[:].shape == (6, 8, 8, 1)


def test_npy_files_of_floats_are_arrays(tmp_path):
    np.save(tmp_path / "x_train.npy", X.astype("float32"))
    np.save(tmp_path / "y_train.npy", Y)
    found = load(tmp_path).images
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, X)


@pytest.mark.parametrize("array", ["x_train", "y_train"])
def test_npy_files_with_pickled_objects_are_refused(array, tmp_path):
    for name, content in {"x_train": X, "y_train": Y, array: Y.astype(object)}.items():
        np.save(tmp_path / f"{name}.npy", content, allow_pickle=True)
    with pytest.raises(ValueError, match=rf"without pickled objects\. .*{array}\.npy'"):
        load(tmp_path)


def test_arrays_of_bytes_are_resized_when_they_are_read(tmp_path):
    path = save(tmp_path, x_train=X, y_train=Y)
    images = load(path, image_size=(8, 6)).images
    assert isinstance(images, ImageArray)
    assert (images.shape, images.varies) == ((6, 8, 6, 1), True)
    assert isinstance(load(path, image_size=4).images, np.ndarray)


def test_arrays_of_floats_are_not_resized(tmp_path):
    path = save(tmp_path, x_train=X.astype("float32"), y_train=Y)
    text = r"`image_size` must be None, or the images uint8\. Received: dtype='float32'"
    with pytest.raises(ValueError, match=text):
        load(path, image_size=8)


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
            "`resize_share` must be None where images keep their size. Received: "
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
