import numpy as np
import pytest

from keras_mixvit.augmentation import (
    AutoAugment,
    RandAugment,
)
from keras_mixvit.augmentation._auto_augment import POLICIES, TABLES
from keras_mixvit.augmentation._operations import NAMES
from tests.augmentation.drawing import SHAPE, rng


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
