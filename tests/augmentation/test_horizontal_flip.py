import numpy as np

from keras_mixvit.augmentation import (
    Augment,
    HorizontalFlip,
)
from tests.augmentation.drawing import noise, rng


def test_flips_mirror_the_share_of_images_that_is_asked_for():
    images = noise(400)
    found = Augment([HorizontalFlip(0.25)])(rng(), images)
    flipped = (found != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[flipped], images[flipped][:, :, ::-1])
    assert abs(flipped.mean() - 0.25) < 4.5 * (0.25 * 0.75 / 400) ** 0.5
