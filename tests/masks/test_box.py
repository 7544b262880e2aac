import re

import numpy as np
import pytest
from keras import ops

from keras_mixvit.masks import (
    box_coverage,
    patch_majority,
)
from keras_mixvit.masks._box import require_ratios
from tests.helpers import numpy
from tests.masks.drawing import patches


def pixel_box(ratio, center, image_size):
    """The published rule, in integers and pixel by pixel."""
    inside = np.zeros(image_size)
    low, high = [], []
    for place, side in zip(center, image_size, strict=True):
        half = int(side * ratio**0.5) // 2
        low.append(max(place - half, 0))
        high.append(min(place + half, side))
    for row in range(low[0], high[0]):
        for column in range(low[1], high[1]):
            inside[row, column] = 1
    return inside


@pytest.mark.parametrize("patch_size", [1, 2, 4])
def test_coverage_counts_the_pixels_of_the_box(patch_size):
    rng = np.random.default_rng(0)
    image_size = (12, 20)
    ratios = np.concatenate([rng.random(60), [0.0, 1.0, 0.25]])
    centers = [rng.integers(side, size=len(ratios)) for side in image_size]
    coverage = box_coverage(ratios, centers, image_size, patch_size)
    boxes = np.stack(
        [
            pixel_box(ratio, center, image_size)
            for ratio, center in zip(
                ratios.tolist(),
                zip(*(c.tolist() for c in centers), strict=True),
                strict=True,
            )
        ]
    )
    np.testing.assert_array_equal(coverage, patches(boxes, patch_size).sum((2, 4)))


def test_coverage_is_the_same_in_keras_operations():
    rng = np.random.default_rng(1)
    ratios = rng.random(20).astype("float32")
    centers = [rng.integers(side, size=20).astype("float32") for side in (8, 12)]
    expected = box_coverage(ratios, centers, (8, 12), 4)
    tensors = [ops.convert_to_tensor(center) for center in centers]
    coverage = box_coverage(ops.convert_to_tensor(ratios), tensors, (8, 12), 4, xp=ops)
    np.testing.assert_allclose(numpy(coverage), expected, atol=1e-5)


def test_majority_gives_a_patch_to_the_box_above_half_and_to_the_coin_at_half():
    coverage = np.array([[[0.0, 7.0, 8.0, 9.0, 16.0]]] * 2)
    won = patch_majority(coverage, np.array([0.0, 1.0]), patch_size=4)
    assert won.tolist() == [[[0, 0, 0, 1, 1]], [[0, 0, 1, 1, 1]]]


def test_odd_patches_have_no_ties():
    coverage = np.array([[[4.0, 5.0]]] * 2)
    won = patch_majority(coverage, np.array([0.0, 1.0]), patch_size=3)
    assert won.tolist() == [[[0, 1]], [[0, 1]]]


def test_ratios_in_range_are_accepted():
    require_ratios(np.array([0.0, 0.5, 1.0]))


def test_ratios_out_of_range_are_refused_and_the_first_three_shown():
    with pytest.raises(
        ValueError,
        match=re.escape(
            "`ratios` must be in [0, 1]. Received: ratios=[-1.0, 2.0, nan]"
        ),
    ):
        require_ratios(np.array([0.5, -1.0, 2.0, np.nan, 3.0]))


@pytest.mark.parametrize("ratio", [-0.1, 1.1, float("nan")])
def test_a_box_of_an_impossible_ratio_is_refused(ratio):
    center = (np.zeros(1), np.zeros(1))
    with pytest.raises(ValueError, match=r"`ratios` must be in \[0, 1\]. Received: "):
        box_coverage(np.array([ratio]), center, (8, 8), 4)
