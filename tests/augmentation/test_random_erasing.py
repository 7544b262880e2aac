import numpy as np

from keras_mixvit.augmentation import (
    RandomErasing,
)
from tests.augmentation.drawing import SHAPE, noise, rng


def test_erasing_follows_the_published_laws():
    count, (height, width, _) = 20_000, SHAPE
    box = RandomErasing(0.25).draw(rng(), count, SHAPE)["box"]
    sides = box[:, 2:] - box[:, :2]
    erased = sides.min(axis=1) > 0
    assert abs(erased.mean() - 0.25) < 4.5 * (0.25 * 0.75 / count) ** 0.5
    area = sides[erased].prod(axis=1) / (height * width)
    # U(0.02, 1/3), but for the boxes that do not fit and are drawn again.
    assert 0.015 < area.min() < 0.03
    assert 0.3 < area.max() <= 0.36
    assert abs(area.mean() - (0.02 + 1 / 3) / 2) < 0.01
    aspect = np.log(sides[erased, 0] / sides[erased, 1])
    assert abs(aspect.mean()) < 0.05
    assert np.abs(aspect).max() < np.log(1 / 0.3) + 0.5
    assert box.min() >= 0
    assert (box[:, 2:] <= (height, width)).all()


def test_erased_pixels_are_normal_and_the_others_untouched():
    images = noise(64, SHAPE)
    augmentation = RandomErasing(1.0, mean=(100.0, 110.0, 120.0), std=50.0)
    draws = augmentation.draw(rng(), 64, SHAPE)
    found = augmentation.apply(images.astype("float32"), draws)
    top, left, bottom, right = draws["box"].astype(int).T
    pixels = []
    for i in range(64):
        inside = np.zeros(SHAPE[:2], bool)
        inside[top[i] : bottom[i], left[i] : right[i]] = True
        np.testing.assert_array_equal(found[i][~inside], images[i][~inside])
        pixels.append(found[i][inside])
    pixels = np.concatenate(pixels)
    np.testing.assert_allclose(pixels.mean(axis=0), [100, 110, 120], atol=1.5)
    np.testing.assert_allclose(pixels.std(axis=0), 50, atol=1.5)
