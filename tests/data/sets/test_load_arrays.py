"""Sets that are arrays in files."""

import numpy as np
import pytest

from keras_mixvit.data import ImageArray, load
from keras_mixvit.data.sets._load import splits

X = np.arange(6 * 4 * 4, dtype="uint8").reshape(6, 4, 4, 1)


Y = np.array([0, 1, 2, 0, 1, 2])


def save(path, **arrays):
    np.savez(path / "mine.npz", **arrays)
    return str(path / "mine.npz")


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
