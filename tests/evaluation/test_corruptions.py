import io
import itertools

import numpy as np
import pytest

from keras_mixvit.evaluation import corrupt

NAMES = ("gaussian_noise", "gaussian_blur", "contrast", "jpeg")


def pictures(channels=3, count=4, side=32):
    """Smooth shapes with edges, from black to white."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side] / side
    found = np.zeros((count, side, side, channels))
    for image in found:
        for _ in range(4):
            cy, cx, radius = rng.random(3)
            inside = (y - cy) ** 2 + (x - cx) ** 2 < (0.1 + radius / 3) ** 2
            image[inside] = rng.random(channels)
    return np.rint(255 * found).astype("uint8")


def needed(name):
    if name == "jpeg":
        pytest.importorskip("PIL")


def distance(images, other):
    return np.abs(images.astype(float) - other).mean()


@pytest.mark.parametrize("channels", [1, 2, 3])
@pytest.mark.parametrize("name", NAMES)
def test_shape_and_dtype_stay_and_the_images_too(name, channels):
    needed(name)
    images = pictures(channels)
    before = images.copy()
    found = corrupt(images, name, 3)
    assert (found.dtype, found.shape) == (np.dtype("uint8"), images.shape)
    assert (images == before).all()
    assert (found != images).any()


@pytest.mark.parametrize("name", NAMES)
def test_a_higher_severity_is_further_from_the_image(name):
    needed(name)
    images = pictures()
    found = [distance(images, corrupt(images, name, s)) for s in range(1, 6)]
    assert all(one < other for one, other in itertools.pairwise(found))
    # The mildest is seen, the strongest leaves something to be seen.
    assert found[0] > 0.5
    assert found[-1] < 64


@pytest.mark.parametrize("name", NAMES)
def test_equal_arguments_give_equal_images_and_noise_depends_on_its_seed(name):
    needed(name)
    images = pictures()
    found = corrupt(images, name, 2, seed=1)
    assert (found == corrupt(images, name, 2, seed=1)).all()
    is_equal = (found == corrupt(images, name, 2, seed=2)).all()
    assert is_equal == (name != "gaussian_noise")


def test_noise_has_its_standard_deviation():
    images = np.full((8, 32, 32, 3), 128, "uint8")
    found = corrupt(images, "gaussian_noise", 3).astype(float)
    assert found.std() == pytest.approx(0.12 * 255, rel=0.02)
    assert found.mean() == pytest.approx(128, abs=1)


def test_blur_is_that_of_a_gaussian():
    images = np.zeros((1, 33, 33, 1), "uint8")
    images[0, 16, 16] = 255
    found = corrupt(images, "gaussian_blur", 5)[0, ..., 0].astype(float)
    deviation = 1.5 * 33 / 32
    offsets = np.arange(33) - 16
    line = np.exp(-0.5 * (offsets / deviation) ** 2)
    expected = 255 * np.outer(line, line) / line.sum() ** 2
    np.testing.assert_allclose(found, expected, atol=0.6)


def test_blur_repeats_the_pixels_of_the_border():
    images = np.full((1, 8, 12, 3), 200, "uint8")
    assert (corrupt(images, "gaussian_blur", 5) == 200).all()


def test_contrast_keeps_the_mean_of_each_channel():
    images = pictures()
    found = corrupt(images, "contrast", 2).astype(float)
    mean = images.mean((1, 2), keepdims=True)
    np.testing.assert_allclose(found, mean + 0.5 * (images - mean), atol=0.51)


def test_jpeg_is_what_pillow_writes():
    image = pytest.importorskip("PIL.Image")
    images = pictures()
    file = io.BytesIO()
    image.fromarray(images[1]).save(file, "JPEG", quality=20)
    with image.open(file) as decoded:
        expected = np.asarray(decoded)
    assert (corrupt(images, "jpeg", 3)[1] == expected).all()


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": "fog"}, "`name` must be one of 'gaussian_noise', 'gaussian_blur', "),
        ({"severity": 0}, "`severity` must be an integer from 1 to 5. Received: sever"),
        ({"severity": 6}, "`severity` must be an integer from 1 to 5. Received: sever"),
        ({"seed": -1}, "`seed` must be an integer of at least 0. Received: seed=-1"),
        ({"images": [1]}, "`images` must be a uint8 array of shape (B, H, W, C). Rec"),
        ({"images": np.zeros((1, 2, 2, 1))}, "`images` must be a uint8 array of shape"),
        ({"images": np.zeros((2, 2), "uint8")}, "`images` must be a uint8 array of sh"),
    ],
)
def test_what_does_not_fit_is_refused(change, error):
    given = {"images": pictures(), "name": "contrast", "severity": 1, "seed": 0}
    with pytest.raises(ValueError, match="Received: ") as refusal:
        corrupt(**{**given, **change})
    assert str(refusal.value).startswith(error)
