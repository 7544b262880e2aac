import math
import re

import numpy as np
import pytest

from keras_mixvit.masks import CowMasks


def draws(seed, batch_size, grid_shape):
    """Shares, widths and noise that a sampler draws with the same seed."""
    rng = np.random.default_rng(seed)
    shares = rng.uniform(0.2, 0.8, batch_size)
    widths = np.exp(rng.uniform(math.log(4), math.log(16), batch_size))
    return shares, widths, rng.standard_normal((batch_size, *grid_shape))


def slow_region(share, width, noise):
    """The published rule: one dense kernel of 97 x 97, zeros outside."""
    steps = np.arange(-48, 49)
    squares = steps[:, None] ** 2 + steps**2
    kernel = np.exp(-squares / (2 * width**2)) / (2 * math.pi * width**2)
    windows = np.lib.stride_tricks.sliding_window_view(np.pad(noise, 48), (97, 97))
    smooth = np.einsum("ijkl,kl->ij", windows, kernel)
    count = smooth.size
    mean = smooth.sum() / count
    deviation = (((smooth - mean) ** 2).sum() / (count - 1)) ** 0.5
    scores = (smooth - mean) / deviation
    ranks = [0.5 + 0.5 * math.erf(z / math.sqrt(2)) for z in scores.flat]
    return np.reshape(ranks, noise.shape) <= share


def with_owner_first(masks, shares):
    """Region of a batch: the member whose areas are those that were drawn."""
    areas = masks.mean(axis=(2, 3))
    owner = np.argmin(np.abs(areas - shares[:, None]).mean(axis=0))
    return masks[:, owner], owner


@pytest.mark.parametrize("grid_shape", [(32, 32), (60, 52), (9, 70)])
def test_region_is_that_of_one_dense_convolution(grid_shape):
    # Two of the grids are longer than the reach of the kernel.
    for seed in range(2):
        masks = CowMasks().draw(np.random.default_rng(seed), 6, grid_shape)
        shares, widths, noise = draws(seed, 6, grid_shape)
        region, _ = with_owner_first(masks, shares)
        expected = [
            slow_region(*one) for one in zip(shares, widths, noise, strict=True)
        ]
        np.testing.assert_array_equal(region, expected)


def test_area_follows_the_drawn_share():
    areas, drawn = [], []
    for seed in range(10):
        masks = CowMasks().draw(np.random.default_rng(seed), 1200, (32, 32))
        shares, _, _ = draws(seed, 1200, (32, 32))
        region, _ = with_owner_first(masks, shares)
        areas.append(region.mean(axis=(1, 2)))
        drawn.append(shares)
    areas, drawn = np.concatenate(areas), np.concatenate(drawn)
    np.testing.assert_allclose(areas.mean(), 0.5, atol=0.01)
    np.testing.assert_allclose(drawn.std(), 0.6 / 12**0.5, atol=0.01)
    # A field with spots of half the grid is not normal: its quantiles are off
    # by about 0.05 in one sample, and nearer to the middle than the share.
    np.testing.assert_allclose((areas - drawn).mean(), 0, atol=0.01)
    assert (areas - drawn).std() < 0.07
    np.testing.assert_allclose(areas.std(), 0.16, atol=0.01)
    assert np.corrcoef(areas, drawn)[0, 1] > 0.93


def test_area_is_the_drawn_share_where_spots_are_small():
    # With many spots in the grid the field is nearly normal.
    masks = CowMasks().draw(np.random.default_rng(0), 24, (160, 180))
    shares, widths, _ = draws(0, 24, (1, 1))
    region, _ = with_owner_first(masks, shares)
    small = widths < 7
    assert small.sum() > 5
    areas = region.mean(axis=(1, 2))
    np.testing.assert_allclose(areas[small], shares[small], atol=0.03)


def test_region_goes_to_one_member_of_the_whole_batch():
    owners = []
    for seed in range(100):
        masks = CowMasks().draw(np.random.default_rng(seed), 24, (12, 12))
        shares, _, _ = draws(seed, 24, (1, 1))
        _, owner = with_owner_first(masks, shares)
        areas = masks.mean(axis=(2, 3))
        assert np.corrcoef(areas[:, owner], shares)[0, 1] > 0.7
        owners.append(owner)
    # Four standard deviations of a fair coin.
    assert abs(sum(owners) - 50) <= 20


def test_there_are_two_inputs_only():
    assert CowMasks().num_subnetworks == 2
    with pytest.raises(TypeError, match="num_subnetworks"):
        CowMasks(num_subnetworks=3)
    with pytest.raises(TypeError, match="alpha"):
        CowMasks(alpha=2.0)


def test_a_grid_of_one_place_is_refused():
    message = (
        "`image_size` must give a grid of more than one position. "
        "Received: grid_shape=(1, 1)"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        CowMasks(patch_size=8).draw(np.random.default_rng(0), 2, (8, 8))
