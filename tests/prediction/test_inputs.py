"""Images that do not fit, or cannot be read: an error or a row, and the others."""

import re
import warnings

import numpy as np
import pytest
from PIL import Image

from keras_mixvit import ImageFolder
from keras_mixvit.prediction import predict
from keras_mixvit.prediction._inputs import Inputs
from tests.prediction.files import SHAPE, linear, pictures, png_bytes

pytestmark = pytest.mark.one_backend

MODEL = linear()


def refused(images, text, **options):
    """The text is the beginning of the error, which comes before any prediction."""
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        predict(MODEL, images, **options)


def answers(folder, **options):
    found = predict(MODEL, folder, **options)
    return {each.image.rsplit("/", 1)[-1]: each for each in found}


def test_damaged_files_are_told_and_the_others_answered(tmp_path):
    whole = png_bytes(pictures(1)[0])
    (tmp_path / "a.png").write_bytes(whole)
    (tmp_path / "b.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "c.jpg").write_text("no image")
    (tmp_path / "d.gif").write_bytes(b"")
    (tmp_path / "notes.txt").write_text("not looked at")
    (tmp_path / "e.png").write_bytes(whole)
    found = answers(tmp_path, batch_size=1)
    assert list(found) == ["a.png", "b.png", "c.jpg", "d.gif", "e.png"]
    assert [each.error is None for each in found.values()] == [1, 0, 0, 0, 1]
    assert "truncated" in found["b.png"].error
    assert "cannot identify image file" in found["c.jpg"].error
    assert found["a.png"].classes == found["e.png"].classes
    assert found["b.png"].classes == ()
    assert found["b.png"].entropy is None
    # In one batch with others they change nothing.
    for one, other in zip(answers(tmp_path).values(), found.values(), strict=True):
        assert (one.image, one.classes, one.error) == (
            *(other.image, other.classes, other.error),
        )
        np.testing.assert_allclose(one.probabilities, other.probabilities, 1e-5)


def test_a_text_file_that_is_named_is_told(tmp_path):
    (tmp_path / "notes.txt").write_text("not an image")
    (found,) = predict(MODEL, [tmp_path / "notes.txt"])
    assert found.error.startswith("cannot identify image file")


def test_files_of_many_pixels_are_not_decoded(tmp_path):
    Image.fromarray(np.zeros((10_000, 10_000), "uint8")).save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(png_bytes(pictures(1)[0]))
    limit = Image.MAX_IMAGE_PIXELS
    with warnings.catch_warnings():
        warnings.simplefilter("error", Image.DecompressionBombWarning)
        found = answers(tmp_path)
    text = (
        "Image files must have at most 89,478,485 pixels; `max_pixels`, or "
        "--max-pixels, allows more. Received: width=10000, height=10000"
    )
    assert found["a.png"].error == text
    assert found["b.png"].error is None
    # The limit of other users of Pillow stays.
    assert limit == Image.MAX_IMAGE_PIXELS
    assert answers(tmp_path, max_pixels=10**8)["a.png"].error is None
    assert answers(tmp_path, max_pixels=47)["b.png"].error is not None
    assert answers(tmp_path, max_pixels=48)["b.png"].error is None


def test_pixels_that_are_no_numbers_are_told():
    images = pictures(3).astype("float32")
    images[1, 2, 3, 0] = np.nan
    first, second, third = predict(MODEL, images)
    assert second.error == (
        "Pixels must be finite. Received: an image with NaN or infinity"
    )
    assert (first.error, third.error) == (None, None)
    (other,) = predict(MODEL, pictures(3)[2:])
    np.testing.assert_allclose(third.probabilities, other.probabilities, 1e-6)


@pytest.mark.parametrize("kind", ["array", "npz", "npy"])
def test_arrays_that_do_not_fit_are_refused(kind, tmp_path):
    def given(array):
        path = tmp_path / f"mine.{kind}"
        if kind == "npz":
            np.savez(path, array)
        elif kind == "npy":
            np.save(path, array)
        return array if kind == "array" else str(path)

    name = "images" if kind == "array" else str(tmp_path / f"mine.{kind}")
    for shape, text in [
        (
            (2, 8, 6, 1),
            "`images` must have as many channels as the training images, 3. Received: "
            f"images={name!r}, shape=(2, 8, 6, 1)",
        ),
        (
            (8, 6, 3),
            "`images` must have shape (n, H, W, C) and not be empty; grey images have "
            f"C = 1. Received: images={name!r}, shape=(8, 6, 3)",
        ),
        ((0, 8, 6, 3), "`images` must have shape (n, H, W, C) and not be empty; "),
    ]:
        refused(given(np.zeros(shape, "uint8")), text)
    refused(
        given(np.zeros((2, 9, 6, 3), "float32")),
        "`images` must have shape (2, 8, 6, 3) if they are not uint8; uint8 images "
        f"of any size are resized. Received: images={name!r}, shape=(2, 9, 6, 3), "
        "dtype='float32'",
    )
    refused(
        given(np.zeros((2, 8, 6, 3), "int32")),
        "`images` must be of a floating-point or unsigned-integer dtype. Received: ",
    )


def test_what_holds_no_images_is_refused(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    refused(tmp_path, f"`images` must hold image files. Received: images='{tmp_path}'")
    refused(
        str(tmp_path / "missing.png"),
        "`images` must be image files, folders or .npz files that exist. Received: "
        f"images='{tmp_path / 'missing.png'}'",
    )
    wanted = "`images` must be a path of an image file, a folder or an .npz file, a "
    for images in ([], [3], 3, None, {}, [tmp_path, None]):
        refused(images, wanted)


def test_files_have_no_scale_for_a_network_of_floats(tmp_path):
    (tmp_path / "a.png").write_bytes(png_bytes(pictures(1)[0]))
    text = (
        "`images` must be arrays, on the scale of the training images, because "
        f"these were float32 arrays, not files. Received: images='{tmp_path}'"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        Inputs(str(tmp_path), SHAPE, "float32")
    assert len(Inputs(pictures(2).astype("float32"), SHAPE, "float32")) == 2


def test_sources_of_images_are_read_on_demand(tmp_path):
    for i, pixels in enumerate(pictures(20)):
        (tmp_path / f"{i:02}.png").write_bytes(png_bytes(pixels))
    found = list(predict(MODEL, ImageFolder(tmp_path), batch_size=7))
    files = list(predict(MODEL, tmp_path, batch_size=20))
    assert [each.image for each in found] == [f"images[{i}]" for i in range(20)]
    for one, other in zip(found, files, strict=True):
        assert one.classes == other.classes
        np.testing.assert_allclose(one.probabilities, other.probabilities, 1e-5)


def test_words_are_answered_in_their_order(tmp_path):
    for name, seed in (("b.png", 1), ("a.png", 2), ("below/c.png", 3)):
        path = tmp_path / "files" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png_bytes(pictures(1, seed=seed)[0]))
    np.savez(tmp_path / "two.npz", pictures(2, seed=4))
    files, two = tmp_path / "files", tmp_path / "two.npz"
    words = [files / "b.png", two, files, files / "a.png"]
    found = [each.image for each in predict(MODEL, words)]
    below = [f"{files}/a.png", f"{files}/b.png", f"{files}/below/c.png"]
    expected = [f"{files}/b.png", f"{two}[0]", f"{two}[1]", *below, f"{files}/a.png"]
    assert found == expected
