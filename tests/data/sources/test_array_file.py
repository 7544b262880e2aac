import re

import numpy as np
import pytest

from keras_mixvit.data.sources._array_file import ArrayFile
from keras_mixvit.prediction import predict
from tests.prediction.files import linear, pictures

pytestmark = pytest.mark.one_backend

MODEL = linear()
X = pictures(50)


def whole(file, size):
    return np.concatenate(list(ArrayFile(file).chunks(size)))


@pytest.mark.parametrize("dtype", ["uint8", "float32", "float64", ">f4"])
@pytest.mark.parametrize("size", [7, 50, 64])
def test_files_give_what_was_written(dtype, size, tmp_path):
    x = X.astype(dtype)
    np.savez(tmp_path / "plain.npz", x)
    np.savez_compressed(tmp_path / "small.npz", mine=x)
    np.save(tmp_path / "alone.npy", x)
    np.save(tmp_path / "fortran.npy", np.asfortranarray(x))
    np.savez(tmp_path / "fortran.npz", np.asfortranarray(x))
    for file in sorted(tmp_path.iterdir()):
        found = ArrayFile(file)
        assert (len(found), found.shape, found.dtype) == (50, x.shape, x.dtype)
        np.testing.assert_array_equal(whole(file, size), x)


@pytest.mark.parametrize("name", ["images", "x", "x_test"])
def test_of_several_arrays_one_is_taken_by_its_name(name, tmp_path):
    file = tmp_path / "several.npz"
    np.savez(file, **{name: X, "y_test": np.arange(50), "x_train": X[:3]})
    np.testing.assert_array_equal(whole(file, 16), X)


def test_several_arrays_without_a_known_name_are_refused(tmp_path):
    file = tmp_path / "several.npz"
    np.savez(file, a=X, b=X)
    text = (
        "`images` must be an .npz file of one array, or with one of the names 'images',"
        f" 'x', 'x_test'. Received: images='{file}', arrays=['a', 'b']"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        predict(MODEL, file)


def test_pickled_objects_are_never_read(tmp_path):
    file = tmp_path / "objects.npz"
    np.savez(file, np.array([{}, []], dtype=object))
    with pytest.raises(ValueError, match="without pickled objects"):
        predict(MODEL, file)


def test_a_damaged_file_is_told_and_the_others_are_answered(tmp_path):
    np.savez(tmp_path / "a.npz", X)
    np.savez(tmp_path / "whole.npz", X[:2])
    content = (tmp_path / "whole.npz").read_bytes()
    (tmp_path / "b.npz").write_bytes(content[:300])
    np.save(tmp_path / "c.npy", X)
    content = (tmp_path / "c.npy").read_bytes()
    # After two parts of it.
    (tmp_path / "c.npy").write_bytes(content[: 200 + 33 * X[0].size])
    files = [tmp_path / name for name in ("a.npz", "b.npz", "c.npy", "whole.npz")]
    found = list(predict(MODEL, files))
    errors = [(each.image, each.error) for each in found if each.error]
    assert [name for name, _ in errors] == [str(files[1]), str(files[2])]
    text = "`images` must be an intact .npz file without pickled objects. Received: "
    assert all(error.startswith(text) for _, error in errors)
    assert "The file ends too early" in errors[1][1]
    # What was read before the damage is answered.
    counts = [sum(str(file) in each.image for each in found) for file in files]
    assert counts == [50, 1, 33, 2]
