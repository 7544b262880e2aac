import numpy as np
import pytest

from keras_mixvit import SingleNetwork
from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation import corrupt
from keras_mixvit.evaluation._judged_corruptions import (
    Corrupted,
    brightness_of,
    corruption_names,
    judged_corruptions,
)
from keras_mixvit.metrics import accuracy, calibrated_nll
from tests.helpers import tiny_convit


def images_of(scale, dtype, count=20):
    rng = np.random.default_rng(0)
    images = (scale * rng.random((count, 8, 12, 3))).astype(dtype)
    return ImageSet(images, np.arange(count) % 5, tuple("abcde"))


@pytest.mark.parametrize(
    ("scale", "dtype", "expected"),
    [
        (255.99, "uint8", (0, 255)),
        (16.99, "uint8", (0, 16)),
        (1, "float32", (0, 1)),
        (0, "float32", (0, 1)),
    ],
)
def test_black_and_white_are_those_of_the_images(scale, dtype, expected):
    found = brightness_of(images_of(scale, dtype).images)
    assert found == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize(("scale", "dtype"), [(255, "uint8"), (1, "float32")])
def test_batches_are_corrupted_on_the_scale_of_the_images(scale, dtype):
    data = images_of(scale, dtype)
    batches = Corrupted(data, 8, "contrast", 3, seed=0)
    batches.high = float(scale)
    found = np.concatenate([batches[i][0] for i in range(len(batches))])
    whites = np.rint(data.images * (255 / scale)).astype("uint8")
    expected = corrupt(whites, "contrast", 3) * (scale / 255)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_batches_have_noise_of_their_own_which_the_seed_decides():
    data = ImageSet(np.full((16, 8, 12, 3), 128, "uint8"), [0] * 16, ("a",))
    first, again, other = (
        Corrupted(data, 8, "gaussian_noise", 1, seed) for seed in (0, 0, 1)
    )
    assert (first[0][0] != first[1][0]).any()
    assert (first[1][0] == again[1][0]).all()
    assert (first[1][0] != other[1][0]).any()


def test_the_report_is_about_what_the_model_predicts_on_corrupted_images():
    model = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    data = images_of(255.99, "uint8")
    rows = judged_corruptions(model, data, "mine", batch_size=16).rows
    assert [(row["corruption"], row["severity"]) for row in rows] == [
        (name, severity) for name in corruption_names() for severity in (1, 3, 5)
    ]
    row = next(r for r in rows if (r["corruption"], r["severity"]) == ("contrast", 5))
    logits = model.predict(corrupt(data.images, "contrast", 5), verbose=0)
    assert row["accuracy"] == accuracy(logits, data.labels)
    assert row["calibrated_nll"] == pytest.approx(
        calibrated_nll(logits, data.labels), rel=1e-4
    )
