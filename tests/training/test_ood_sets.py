"""Which images `--ood` takes, and how they are prepared."""

import numpy as np
import pytest
from PIL import Image

from keras_mixvit.data import load
from keras_mixvit.training._ood_sets import load_ood

pytestmark = pytest.mark.one_backend

SHAPE = (6, 8, 3)


def pixels(count=5, height=6, width=8, channels=3):
    rng = np.random.default_rng(0)
    return rng.integers(0, 256, (count, height, width, channels), "uint8")


def only(path, shape=SHAPE):
    (found,) = load_ood([str(path)], "known", pixels(), shape).values()
    return found


@pytest.mark.parametrize("key", ["images", "x", "x_test", "anything"])
def test_arrays_need_no_labels(key, tmp_path):
    x = pixels()
    more = {} if key == "anything" else {"y": np.arange(5)}
    np.savez(tmp_path / "others.npz", **{key: x}, **more)
    np.testing.assert_array_equal(only(tmp_path / "others.npz").images, x)


def test_an_array_of_its_own_is_taken_and_resized(tmp_path):
    x = pixels(height=12, width=16)
    np.save(tmp_path / "others.npy", x)
    found = only(tmp_path / "others.npy")
    assert found.images.shape == (5, *SHAPE)
    # Half the size: near the means of squares of four pixels.
    means = x.reshape(5, 6, 2, 8, 2, 3).mean(axis=(2, 4))
    assert np.abs(found.images - means).mean() < 12


def test_a_folder_of_images_needs_no_classes(tmp_path):
    for i, image in enumerate(pixels(3, 9, 9)):
        Image.fromarray(image).save(tmp_path / f"{i}.png")
    found = only(tmp_path)
    assert (found.images.shape, found.class_names) == ((3, *SHAPE), ("unknown",))


@pytest.mark.parametrize("is_stored", [False, True])
def test_grey_images_become_rgb(is_stored, tmp_path):
    x = pixels(4, channels=1)
    if is_stored:
        for label in "ab":
            (tmp_path / label).mkdir()
            Image.fromarray(x[0, ..., 0]).save(tmp_path / label / "0.png")
        found = only(tmp_path).images[:]
        x = x[[0, 0]]
    else:
        np.savez(tmp_path / "grey.npz", x_train=x, y_train=np.arange(4) % 2)
        found = only(tmp_path / "grey.npz").images
    np.testing.assert_array_equal(found, np.repeat(x, 3, axis=3))


@pytest.mark.parametrize(
    ("arrays", "text"),
    [
        ({"x": np.zeros((3, 4))}, "`ood` must be files of an array"),
        ({"x": np.zeros((3, 6, 8, 3), "int64")}, "`ood` must be files of an array"),
        ({"a": pixels(), "b": pixels()}, "`name` must be an .npz file with the arrays"),
    ],
)
def test_other_arrays_are_refused(arrays, text, tmp_path):
    np.savez(tmp_path / "others.npz", **arrays)
    with pytest.raises(ValueError, match=text):
        only(tmp_path / "others.npz")


def test_a_damaged_file_is_refused(tmp_path):
    (tmp_path / "others.npz").write_bytes(b"PK\x03\x04 and no more")
    with pytest.raises(ValueError, match="`name` must be"):
        only(tmp_path / "others.npz")


@pytest.mark.parametrize(
    ("known", "images", "factor"),
    [
        ("photos", pixels(), 255 / 16),
        ("photos", pixels() / np.float32(255), 1 / 16),
        ("photos", pixels().astype("float32"), 1),
        ("photos", pixels() // 16, 1),
    ],
)
def test_digits_get_the_white_of_the_images(known, images, factor):
    (found,) = load_ood(["digits"], known, images, (8, 8, 1)).values()
    digits = load("digits", "test").images
    np.testing.assert_allclose(found.images, digits * factor, rtol=1e-6)


def test_other_images_get_the_white_of_the_digits(tmp_path):
    x = pixels(3, 8, 8)
    Image.fromarray(x[0]).save(tmp_path / "0.png")
    np.save(tmp_path / "floats.npy", x / np.float32(255))
    names = [str(tmp_path), str(tmp_path / "floats.npy")]
    known = load("digits", "test").images
    folder, floats = load_ood(names, "digits", known, (8, 8, 3)).values()
    wanted = x.astype("float32") * 16 / 255
    np.testing.assert_allclose(folder.images, wanted[:1], rtol=1e-6)
    np.testing.assert_allclose(floats.images, wanted, rtol=1e-6)
