import re

import numpy as np
import pytest

from keras_mixvit.masks import PatchUpMasks


def regions(ratios, grid_shape, seed=0):
    rng = np.random.default_rng(seed)
    return PatchUpMasks().draw_region(rng, np.asarray(ratios), grid_shape)


def rate(ratio, height, width):
    return ratio * height * width / (49 * (height - 6) * (width - 6))


def exact_moments(ratio, side):
    """Mean and standard deviation of the area, from the law of the seeds."""
    places = np.arange(side)
    near = np.abs(np.subtract.outer(places, places)) <= 3
    common = near.astype(int) @ near
    # Seeds that cover two places: as many as their windows have in common.
    both = np.einsum("ik,jl->ijkl", common, common).reshape(side**2, side**2)
    alone = np.diag(both)
    missed = 1 - rate(ratio, side, side)
    uncovered = missed**alone
    neither = missed ** (alone[:, None] + alone - both)
    variance = neither.mean() - uncovered.mean() ** 2
    return 1 - uncovered.mean(), variance**0.5


@pytest.mark.parametrize("grid_shape", [(32, 32), (7, 7), (9, 15), (16, 7)])
def test_region_is_the_maximum_of_the_seeds_over_windows(grid_shape):
    height, width = grid_shape
    ratios = [0.0, 0.1, 0.3, 0.5, 0.8, 1.0]
    uniform = np.random.default_rng(4).random((len(ratios), height, width))
    for region, noise, ratio in zip(
        regions(ratios, grid_shape, seed=4), uniform, ratios, strict=True
    ):
        seeds = noise < rate(ratio, height, width)
        for row in range(height):
            for column in range(width):
                window = seeds[
                    max(row - 3, 0) : row + 4, max(column - 3, 0) : column + 4
                ]
                assert region[row, column] == window.max()


def test_rate_of_the_seeds_is_that_of_dropblock():
    np.testing.assert_allclose(rate(0.5, 32, 32), 0.015457, atol=1e-6)


@pytest.mark.parametrize(("ratio", "mean"), [(0.3, 0.333), (0.5, 0.490)])
def test_area_of_a_fixed_ratio_is_the_published_one(ratio, mean):
    expected = exact_moments(ratio, 32)
    np.testing.assert_allclose(expected[0], mean, atol=2e-3)
    areas = np.concatenate(
        [
            regions(np.full(2500, ratio), (32, 32), seed).mean(axis=(1, 2))
            for seed in range(4)
        ]
    )
    np.testing.assert_allclose(areas.mean(), mean, atol=0.01)
    np.testing.assert_allclose(areas.std(), expected[1], atol=0.01)


def test_regions_of_no_ratio_are_empty():
    assert not regions(np.zeros(100), (8, 8)).any()


@pytest.mark.parametrize("grid_shape", [(6, 7), (7, 6), (1, 1)])
def test_grids_below_one_square_are_refused(grid_shape):
    message = (
        "`image_size` must give a grid of at least 7 x 7. "
        f"Received: grid_shape={grid_shape}"
    )
    sampler = PatchUpMasks(patch_size=4)
    image_size = tuple(4 * side for side in grid_shape)
    with pytest.raises(ValueError, match=re.escape(message)):
        sampler.draw(np.random.default_rng(0), 2, image_size)
