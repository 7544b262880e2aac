import re

import numpy as np
import pytest

from keras_mixvit.masks import FMixMasks


def regions(ratios, grid_shape, seed=0, decay=3.0):
    sampler = FMixMasks(decay=decay)
    return sampler.draw_region(
        np.random.default_rng(seed), np.asarray(ratios), grid_shape
    )


def agreement(found, axis, distance=1):
    """How often two places at a distance are of the same input."""
    return (found == np.roll(found, distance, axis)).mean()


@pytest.mark.parametrize("grid_shape", [(32, 32), (5, 8), (8, 5), (1, 6), (3, 3)])
def test_region_has_exactly_the_rounded_number_of_places(grid_shape):
    ratios = np.concatenate([np.random.default_rng(1).random(300), [0.0, 0.5, 1.0]])
    found = regions(ratios, grid_shape)
    assert found.shape == (len(ratios), *grid_shape)
    size = grid_shape[0] * grid_shape[1]
    expected = [round(ratio * size) for ratio in ratios.tolist()]
    assert found.sum(axis=(1, 2)).tolist() == expected


def test_regions_of_no_ratio_are_empty_and_of_all_are_full():
    found = regions([0.0, 1.0, 1e-9, 1 - 1e-9], (8, 12))
    assert not found[[0, 2]].any()
    assert found[[1, 3]].all()


@pytest.mark.parametrize("axis", [1, 2])
def test_neighbours_agree_far_more_often_than_by_chance(axis):
    found = regions(np.full(2000, 0.5), (32, 32))
    near, far = agreement(found, axis), agreement(found, axis, 16)
    assert near > 0.9
    assert near > far + 0.3


@pytest.mark.parametrize("axis", [1, 2])
def test_higher_decay_is_smoother_and_without_decay_there_is_chance(axis):
    rates = [
        agreement(regions(np.full(1000, 0.5), (32, 32), decay=decay), axis)
        for decay in (1e-3, 1.0, 3.0)
    ]
    np.testing.assert_allclose(rates[0], 0.5, atol=0.01)
    assert rates[0] + 0.1 < rates[1] < rates[2] - 0.1


def test_low_frequencies_of_the_region_have_nearly_all_of_its_power():
    found = regions(np.full(1000, 0.5), (32, 32))
    power = (np.abs(np.fft.fft2(found - 0.5)) ** 2).mean(axis=0)
    frequency = np.abs(np.fft.fftfreq(32))
    low = np.hypot(frequency[:, None], frequency) < 4.5 / 32
    assert low.mean() < 0.07
    assert power[low].sum() / power.sum() > 0.85


def test_every_place_is_covered_alike():
    found = regions(np.full(4000, 0.3), (16, 24))
    expected = round(0.3 * 16 * 24) / (16 * 24)
    # Five standard errors of the mean of one place.
    room = 5 * (expected * (1 - expected) / 4000) ** 0.5
    np.testing.assert_allclose(found.mean(axis=0), expected, atol=room)


def test_area_has_the_law_of_the_ratio():
    ratios = np.random.default_rng(2).beta(2, 2, 10_000)
    areas = regions(ratios, (16, 16)).mean(axis=(1, 2))
    np.testing.assert_allclose(areas.mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(areas.std(), 0.05**0.5, atol=0.01)


@pytest.mark.parametrize("decay", [0, -1.0, float("nan"), float("inf")])
def test_decay_must_be_positive_and_finite(decay):
    message = f"`decay` must be a positive finite number. Received: decay={decay}"
    with pytest.raises(ValueError, match=re.escape(message)):
        FMixMasks(decay=decay)


def test_no_direction_is_preferred():
    masks = FMixMasks().draw(np.random.default_rng(0), 20_000, (32, 32))[:, 0]
    down = [np.mean(masks[:, d:] == masks[:, :-d]) for d in (1, 8)]
    across = [np.mean(masks[:, :, d:] == masks[:, :, :-d]) for d in (1, 8)]
    np.testing.assert_allclose(down, across, atol=0.01)


def test_a_large_decay_leaves_the_lowest_frequencies():
    masks = FMixMasks(decay=300.0).draw(np.random.default_rng(0), 100, (8, 8))
    assert np.isfinite(masks).all()
    assert masks.min(axis=(2, 3)).max() == 0
