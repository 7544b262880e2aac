import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.augmentation import (
    Augment,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandAugment,
    RandomErasing,
)
from keras_mixvit.augmentation._random_erasing import random_bytes
from tests.augmentation.drawing import SHAPE, noise, rng
from tests.helpers import numpy

EVERYTHING = [PadCrop(), HorizontalFlip(), AutoAugment(), RandAugment()]


def test_the_same_seed_draws_the_same_and_another_one_does_not():
    augment, images = Augment(EVERYTHING), noise(32, SHAPE)
    first, again, other = (augment(rng(seed), images) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.dtype == np.uint8


def test_tensors_become_what_arrays_become_for_equal_draws():
    augment = Augment([PadCrop(2), HorizontalFlip(), RandomErasing(0.5)])
    images = noise(8).astype("float32")
    draws = augment.draw(rng(), 8, images.shape[1:])
    tensors = keras.tree.map_structure(ops.convert_to_tensor, draws)
    found = augment.apply(ops.convert_to_tensor(images), tensors, ops)
    np.testing.assert_allclose(numpy(found), augment.apply(images, draws), atol=1e-4)


def test_only_what_keeps_bytes_gives_bytes():
    class Halves(HorizontalFlip):
        keeps_bytes = False

        def apply(self, images, draws, xp=np):
            return images / 2

    images = np.full((2, 4, 4, 3), 255, "uint8")
    found = Augment([PadCrop(), Halves()])(rng(), images)
    assert found.dtype == np.float32
    assert found.max() == 127.5


def test_noise_makes_floats_of_bytes():
    found = Augment([RandomErasing(1.0)])(rng(), noise())
    assert found.dtype == np.float32


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PadCrop(0), "`padding` must be an integer of at least 1."),
        (lambda: HorizontalFlip(1.5), "`probability` must be in [0, 1]."),
        (lambda: AutoAugment("svhn"), "`policy` must be one of 'cifar10', 'imagenet'."),
        (lambda: AutoAugment(fill=-1), "`fill` must be in [0, 255]."),
        (lambda: RandAugment(0), "`num_operations` must be an integer of at least 1."),
        (lambda: RandAugment(magnitude=11), "`magnitude` must be in [0, 10]."),
        (lambda: RandAugment(deviation=-1), "`deviation` must not be negative."),
        (lambda: RandomErasing(-0.1), "`probability` must be in [0, 1]."),
        (lambda: RandomErasing(mean=float("nan")), "`mean` must be finite."),
        (lambda: RandomErasing(std=0.0), "`std` must be positive."),
        (lambda: Augment([1]), "`augmentations` must be a list of augmentations."),
        (
            lambda: Augment([])(rng(), np.zeros((2, 4, 4, 3))),
            "`images` must be uint8 of shape (B, H, W, C).",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(f"{message} Received: ")):
        make()


def test_random_bytes_are_uniform_and_independent_of_their_place():
    # Nothing is a multiple of eight here.
    found = random_bytes(rng(), (301, 7, 5, 3))
    assert found.dtype == "uint8"
    assert found.shape == (301, 7, 5, 3)
    counts = np.bincount(found.ravel(), minlength=256)
    expected = found.size / 256
    chi_square = ((counts - expected) ** 2 / expected).sum()
    # Mean 255 and variance 510: within five standard deviations.
    assert abs(chi_square - 255) < 5 * np.sqrt(510)
    flat = found.ravel().astype("float64")
    for lag in (1, 7, 8, 9):
        correlation = np.corrcoef(flat[:-lag], flat[lag:])[0, 1]
        assert abs(correlation) < 5 / np.sqrt(flat.size)
