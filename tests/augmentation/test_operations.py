"""Every operation against Pillow, and `keras.ops` against NumPy."""

import numpy as np
import pytest
from keras import ops

from keras_mixvit.augmentation._operations import NAMES, OPERATIONS, apply_operations
from tests.augmentation.pictures import pictures
from tests.helpers import numpy

pytest.importorskip("matplotlib")
Image = pytest.importorskip("PIL.Image")
from PIL import ImageEnhance, ImageOps  # noqa: E402

FILL = 128.0
GREY = (128, 128, 128)


def seen_through(image, *matrix):
    """Pillow's image of an affine map, to the nearest pixel."""
    transform, nearest = Image.Transform.AFFINE, Image.Resampling.NEAREST
    return image.transform(image.size, transform, matrix, nearest, fillcolor=GREY)


def solarize_add(image, addition):
    table = [min(255, i + int(addition)) if i < 128 else i for i in range(256)]
    return image.point(table * 3)


PILLOW = {
    "shear_x": lambda i, s: seen_through(i, 1, s, 0, 0, 1, 0),
    "shear_y": lambda i, s: seen_through(i, 1, 0, 0, s, 1, 0),
    "translate_x": lambda i, s: seen_through(i, 1, 0, s * i.width, 0, 1, 0),
    "translate_y": lambda i, s: seen_through(i, 1, 0, 0, 0, 1, s * i.height),
    "rotate": lambda i, s: i.rotate(s, fillcolor=GREY),
    "autocontrast": lambda i, s: ImageOps.autocontrast(i),
    "invert": lambda i, s: ImageOps.invert(i),
    "equalize": lambda i, s: ImageOps.equalize(i),
    "solarize": lambda i, s: ImageOps.solarize(i, s),
    "solarize_add": solarize_add,
    "posterize": lambda i, s: ImageOps.posterize(i, int(s)),
    "contrast": lambda i, s: ImageEnhance.Contrast(i).enhance(s),
    "colour": lambda i, s: ImageEnhance.Color(i).enhance(s),
    "brightness": lambda i, s: ImageEnhance.Brightness(i).enhance(s),
    "sharpness": lambda i, s: ImageEnhance.Sharpness(i).enhance(s),
}
GEOMETRY = (0.3, -0.1, 0.0)
FACTORS = (0.1, 0.7, 1.0, 1.9)
STRENGTHS = {
    **dict.fromkeys(("shear_x", "shear_y", "translate_x", "translate_y"), GEOMETRY),
    **dict.fromkeys(("contrast", "colour", "brightness", "sharpness"), FACTORS),
    "rotate": (30.0, -13.3, 0.0),
    "solarize": (0, 26, 142, 256),
    "solarize_add": (0, 33, 110),
    "posterize": (1, 4, 7, 8),
}
CASES = [(name, strength) for name in NAMES for strength in STRENGTHS.get(name, (0.0,))]


def changed(name, images, strength, xp=np):
    strengths = np.full(len(images), strength, "float32")
    return OPERATIONS[name](images, strengths, FILL, xp)


def test_the_table_has_every_operation():
    assert set(PILLOW) == set(NAMES)


@pytest.mark.parametrize(("name", "strength"), CASES)
def test_operations_are_pillows(name, strength):
    images = pictures()
    found = changed(name, images.astype("float32"), strength)
    expected = np.stack(
        [np.asarray(PILLOW[name](Image.fromarray(i), strength)) for i in images]
    )
    # Pillow stretches contrast in double precision.
    tolerance = 1 if name == "autocontrast" else 0
    np.testing.assert_allclose(found, expected, atol=tolerance)


@pytest.mark.parametrize("name", ["equalize", "autocontrast", "contrast", "sharpness"])
def test_flat_narrow_and_two_coloured_images_are_pillows(name):
    rng = np.random.default_rng(0)
    flat = np.full((16, 16, 3), 77, "uint8")
    narrow = rng.integers(100, 104, size=(16, 16, 3)).astype("uint8")
    two = np.where(rng.random((16, 16, 3)) < 0.1, 3, 250).astype("uint8")
    images = np.stack([flat, narrow, two])
    found = changed(name, images.astype("float32"), 1.5)
    expected = [np.asarray(PILLOW[name](Image.fromarray(i), 1.5)) for i in images]
    tolerance = 1 if name == "autocontrast" else 0
    np.testing.assert_allclose(found, np.stack(expected), atol=tolerance)


def test_images_do_not_leak_into_one_another():
    images = pictures(8).astype("float32")
    for name in NAMES:
        together = changed(name, images, STRENGTHS.get(name, (0.0,))[0])
        alone = changed(name, images[3:4], STRENGTHS.get(name, (0.0,))[0])
        np.testing.assert_array_equal(together[3], alone[0])


def test_grey_images_of_any_shape_go_through_every_operation():
    images = pictures(4, side=12)[:, :8, :, :1].astype("float32")
    for name in NAMES:
        found = changed(name, images, STRENGTHS.get(name, (0.0,))[0])
        assert found.shape == images.shape
        assert found.min() >= 0
        assert found.max() <= 255


@pytest.mark.parametrize("name", NAMES)
def test_tensors_go_through_the_same_operations(name):
    images = pictures(3, side=12).astype("float32")
    strength = STRENGTHS.get(name, (0.0,))[0]
    tensors = ops.convert_to_tensor(images)
    strengths = ops.convert_to_tensor(np.full(3, strength, "float32"))
    found = numpy(OPERATIONS[name](tensors, strengths, FILL, ops))
    tolerance = 1 if name == "autocontrast" else 0
    expected = changed(name, images, strength)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    assert np.mean(found != expected) < 0.02


def test_each_image_gets_what_was_drawn_for_it():
    images = pictures(4).astype("float32")
    invert, solarize = NAMES.index("invert"), NAMES.index("solarize")
    draws = {
        "operation": np.array([[invert, -1], [-1, -1], [solarize, invert], [-1, 0]]),
        "strength": np.array([[0, 0], [0, 0], [99, 0], [0, 0.2]], "float32"),
    }
    found = apply_operations(images, draws, FILL)
    np.testing.assert_array_equal(found[0], 255 - images[0])
    np.testing.assert_array_equal(found[1], images[1])
    solarized = changed("solarize", images[2:3], 99)
    np.testing.assert_array_equal(found[2], 255 - solarized[0])
    np.testing.assert_array_equal(found[3], changed("shear_x", images[3:], 0.2)[0])


def test_a_compiled_step_does_to_each_image_what_numpy_does():
    images = pictures(len(NAMES) + 1, side=12)
    operation = np.arange(-1, len(NAMES))[:, None]
    strength = [0.0, *(STRENGTHS.get(name, (0.0,))[0] for name in NAMES)]
    draws = {
        "operation": np.concatenate([operation, operation[::-1]], 1).astype("int32"),
        "strength": np.stack([strength, strength[::-1]], 1).astype("float32"),
    }
    expected = apply_operations(images, draws, FILL)
    assert expected.dtype == np.uint8
    tensors = {key: ops.convert_to_tensor(value) for key, value in draws.items()}
    floats = ops.convert_to_tensor(images.astype("float32"))
    found = numpy(apply_operations(floats, tensors, FILL, ops))
    # Autocontrast may differ by one level, which equalization may spread.
    exact = (found == expected).mean(axis=(1, 2, 3))
    assert (exact > 0.98).sum() >= len(NAMES) - 1
    assert np.abs(found - expected).mean() < 0.5
