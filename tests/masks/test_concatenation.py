import re

import numpy as np
import pytest

from keras_mixvit.masks import ConcatenationMasks


def regions(ratios, grid_shape, direction, seed=0):
    sampler = ConcatenationMasks(direction=direction)
    return sampler.draw_region(
        np.random.default_rng(seed), np.asarray(ratios), grid_shape
    )


@pytest.mark.parametrize("grid_shape", [(32, 32), (7, 12), (12, 7)])
@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_line_is_at_the_ratio_and_the_region_before_or_after_it(direction, grid_shape):
    rng = np.random.default_rng(1)
    ratios = [*rng.random(200).tolist(), 0.0, 0.25, 0.5, 1.0]
    height, width = grid_shape
    sides = set()
    for region, ratio in zip(
        regions(ratios, grid_shape, direction), ratios, strict=True
    ):
        before = np.zeros(grid_shape, bool)
        if direction == "horizontal":
            before[:, : int(ratio * width)] = True
        else:
            before[: int(ratio * height)] = True
        is_before, is_after = (region == before).all(), (region == ~before).all()
        assert is_before != is_after
        sides.add(bool(is_before))
    assert sides == {False, True}


@pytest.mark.parametrize(
    ("direction", "axis"), [("horizontal", "rows"), ("vertical", "columns")]
)
def test_direction_is_that_of_the_paper(direction, axis):
    found = regions(np.full(50, 0.5), (6, 8), direction)
    # Left and right of a vertical line: every row is alike.
    alike = found[:, :1] if axis == "rows" else found[:, :, :1]
    np.testing.assert_array_equal(found, np.broadcast_to(alike, found.shape))
    np.testing.assert_array_equal(found.mean(axis=(1, 2)), 0.5)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_side_of_the_region_is_a_fair_coin_per_sample(direction):
    first = regions(np.full(20_000, 0.3), (8, 8), direction)[:, 0, 0]
    np.testing.assert_allclose(first.mean(), 0.5, atol=0.02)


@pytest.mark.parametrize("direction", ["horizontal", "vertical"])
def test_area_has_the_law_of_the_ratio(direction):
    lines = np.arange(33) / 32
    chances = np.diff(3 * lines**2 - 2 * lines**3)
    # A line at k leaves k or 32 - k of 32.
    spread = (chances @ (lines[:-1] - 0.5) ** 2) ** 0.5
    np.testing.assert_allclose(spread, 0.05**0.5, atol=0.002)
    ratios = np.random.default_rng(2).beta(2, 2, 20_000)
    areas = regions(ratios, (32, 32), direction).mean(axis=(1, 2))
    np.testing.assert_allclose(areas.mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(areas.std(), spread, atol=0.01)


def test_direction_must_be_known():
    message = (
        "`direction` must be one of 'horizontal', 'vertical'. "
        "Received: direction='diagonal'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        ConcatenationMasks(direction="diagonal")


def test_directions_are_different_samplers():
    assert ConcatenationMasks() == ConcatenationMasks(direction="horizontal")
    assert ConcatenationMasks() != ConcatenationMasks(direction="vertical")
