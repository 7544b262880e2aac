"""What augmentations draw, and how they are put together."""

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
from keras_mixvit.augmentation._auto_augment import POLICIES, TABLES
from keras_mixvit.augmentation._operations import NAMES
from keras_mixvit.augmentation._random_erasing import random_bytes
from tests.helpers import numpy

SHAPE = (32, 32, 3)


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(count=16, shape=(12, 10, 3), seed=0):
    return rng(seed).integers(256, size=(count, *shape)).astype("uint8")


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


def test_flips_mirror_the_share_of_images_that_is_asked_for():
    images = noise(400)
    found = Augment([HorizontalFlip(0.25)])(rng(), images)
    flipped = (found != images).any(axis=(1, 2, 3))
    np.testing.assert_array_equal(found[flipped], images[flipped][:, :, ::-1])
    assert abs(flipped.mean() - 0.25) < 4.5 * (0.25 * 0.75 / 400) ** 0.5


@pytest.mark.parametrize("policy", POLICIES)
def test_policies_have_25_pairs_of_which_each_is_drawn_alike(policy):
    operations, probabilities, strengths, _, _ = TABLES[policy]
    assert operations.shape == probabilities.shape == strengths.shape == (25, 2)
    assert probabilities.min() >= 0
    assert probabilities.max() <= 1
    count = 100_000
    draws = AutoAugment(policy).draw(rng(), count, SHAPE)
    for index, name in enumerate(NAMES):
        expected = probabilities[operations == index].sum() / 25
        found = np.sum(draws["operation"] == index) / count
        assert abs(found - expected) < 0.01, name


def test_rows_of_the_cifar_policy_are_the_published_ones():
    operations, probabilities, strengths, signed, centers = TABLES["cifar10"]
    assert [NAMES[i] for i in operations[0]] == ["invert", "contrast"]
    assert probabilities[0].tolist() == [0.1, 0.2]
    np.testing.assert_allclose(strengths[0], [0, 0.9 * 6 / 9])
    assert centers[0].tolist() == [0, 1]
    assert [NAMES[i] for i in operations[1]] == ["rotate", "translate_x"]
    np.testing.assert_allclose(strengths[1], [30 * 2 / 9, 150 / 331])
    assert signed[1].tolist() == [True, True]
    assert [NAMES[i] for i in operations[5]] == ["shear_y", "posterize"]
    np.testing.assert_allclose(strengths[5], [0.3 * 7 / 9, 5])
    assert [NAMES[i] for i in operations[14]] == ["solarize", "invert"]
    np.testing.assert_allclose(strengths[14, 0], 256 * 7 / 9)
    assert [NAMES[i] for i in operations[24]] == ["translate_y", "autocontrast"]


def test_rows_of_the_imagenet_policy_are_the_published_ones():
    operations, probabilities, strengths, _, _ = TABLES["imagenet"]
    assert [NAMES[i] for i in operations[0]] == ["posterize", "rotate"]
    np.testing.assert_allclose(strengths[0], [4, 30])
    assert probabilities[7].tolist() == [0.8, 1.0]
    assert [NAMES[i] for i in operations[18]] == ["shear_x", "equalize"]
    for row, twin in ((20, 4), (21, 1), (22, 13), (23, 14), (24, 2)):
        np.testing.assert_array_equal(operations[row], operations[twin])
        np.testing.assert_array_equal(probabilities[row], probabilities[twin])
        np.testing.assert_array_equal(strengths[row], strengths[twin])


@pytest.mark.parametrize("augmentation", [AutoAugment(), RandAugment()])
def test_signs_are_fair(augmentation):
    draws = augmentation.draw(rng(), 100_000, SHAPE)
    for name, center in (("rotate", 0), ("translate_x", 0), ("colour", 1)):
        chosen = draws["operation"] == NAMES.index(name)
        above = draws["strength"][chosen] != center
        share = np.mean(draws["strength"][chosen][above] > center)
        assert abs(share - 0.5) < 4.5 * (0.25 / above.sum()) ** 0.5, name


def test_rand_augment_draws_what_deit_draws():
    draws = RandAugment().draw(rng(), 100_000, SHAPE)
    operations, strengths = draws["operation"], draws["strength"]
    assert abs(np.mean(operations == -1) - 0.5) < 0.01
    counts = np.bincount(operations[operations >= 0])
    np.testing.assert_allclose(counts / counts.sum(), 1 / 15, atol=0.005)
    rotations = np.abs(strengths[operations == NAMES.index("rotate")])
    assert abs(rotations.mean() - 27) < 0.1
    assert rotations.max() <= 30
    bits = strengths[operations == NAMES.index("posterize")]
    assert set(np.unique(bits)) <= {0.0, 1.0, 2.0}
    factors = strengths[operations == NAMES.index("colour")]
    assert factors.min() >= 0.1 - 1e-6
    assert factors.max() <= 1.9 + 1e-6


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
