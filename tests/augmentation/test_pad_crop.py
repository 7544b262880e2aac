"""What augmentations draw, and how they are put together."""

import numpy as np

from keras_mixvit.augmentation import (
    PadCrop,
)
from tests.augmentation.drawing import SHAPE, noise, rng


def test_pad_crop_takes_every_place_of_the_padded_image():
    images = noise()
    draws = PadCrop(2).draw(rng(), len(images), images.shape[1:])
    found = PadCrop(2).apply(images.astype("float32"), draws)
    padded = np.pad(images, [(0, 0), (2, 2), (2, 2), (0, 0)])
    for i, (row, column) in enumerate(zip(draws["row"], draws["column"], strict=True)):
        expected = padded[i, row : row + 12, column : column + 10]
        np.testing.assert_array_equal(found[i], expected)
    draws = PadCrop(2).draw(rng(), 10_000, SHAPE)
    counts = np.histogram2d(draws["row"], draws["column"], bins=5)[0]
    np.testing.assert_allclose(counts / 10_000, 0.04, atol=4.5 * (0.04 / 1e4) ** 0.5)
