import re

import numpy as np
import pytest

from keras_mixvit.masks import (
    PatchCutMix,
)
from tests.masks.drawing import drawn, patches

# With this parameter ratios are close to half: no box is empty or everything.
HALVES = 200.0


@pytest.mark.parametrize("num_subnetworks", [2, 3])
def test_masks_are_one_hot_on_the_grid(num_subnetworks):
    masks = drawn(num_subnetworks=num_subnetworks, image_size=(8, 24))
    assert masks.shape == (512, num_subnetworks, 2, 6)
    assert masks.dtype == np.float32
    assert set(np.unique(masks)) == {0.0, 1.0}
    np.testing.assert_array_equal(masks.sum(axis=1), 1.0)


def test_ratios_are_multiples_of_one_place_and_cover_the_range():
    ratios = drawn().mean(axis=(2, 3))
    np.testing.assert_array_equal(ratios * 16, np.round(ratios * 16))
    assert ratios.min() == 0.0
    assert ratios.max() == 1.0
    assert len(np.unique(ratios[:, 0])) > 8


@pytest.mark.parametrize("num_subnetworks", [2, 3])
@pytest.mark.parametrize("owner_per", ["batch", "sample"])
def test_mean_ratio_of_every_member_is_fair(num_subnetworks, owner_per):
    # An owner per batch is as many draws of it as there are batches.
    batch_size = 2 if owner_per == "batch" else 20_000
    sampler = PatchCutMix(4, num_subnetworks, owner_per=owner_per)
    rng = np.random.default_rng(0)
    draws = [sampler.draw(rng, batch_size, (8, 8)) for _ in range(20_000 // batch_size)]
    ratios = np.concatenate(draws).mean(axis=(0, 2, 3))
    np.testing.assert_allclose(ratios, 1 / num_subnetworks, atol=0.01)


def rest_owners(masks):
    """The member around the box: a box of half sides has one corner at most."""
    corners = masks[:, :, :: masks.shape[2] - 1, :: masks.shape[3] - 1].sum(axis=(2, 3))
    assert np.all(corners.max(axis=1) >= 3)
    return corners.argmax(axis=1)


@pytest.mark.parametrize("num_subnetworks", [2, 3])
def test_one_owner_per_batch_is_shared_by_its_samples(num_subnetworks):
    arguments = {"num_subnetworks": num_subnetworks, "alpha": HALVES, "patch_size": 1}
    owners = []
    for seed in range(60):
        found = rest_owners(drawn(seed, batch_size=4, **arguments))
        assert len(set(found)) == 1
        owners.append(found[0])
    counts = np.bincount(owners, minlength=num_subnetworks)
    assert np.all(counts > 60 / num_subnetworks / 2)


@pytest.mark.parametrize("num_subnetworks", [2, 3])
def test_one_owner_per_sample_varies_in_a_batch(num_subnetworks):
    arguments = {"num_subnetworks": num_subnetworks, "alpha": HALVES, "patch_size": 1}
    owners = rest_owners(drawn(batch_size=3000, owner_per="sample", **arguments))
    shares = np.bincount(owners, minlength=num_subnetworks) / 3000
    np.testing.assert_allclose(shares, 1 / num_subnetworks, atol=0.04)


@pytest.mark.parametrize("owner_per", ["batch", "sample"])
def test_exactly_two_of_four_members_are_mixed(owner_per):
    masks = drawn(num_subnetworks=4, alpha=HALVES, owner_per=owner_per)
    present = masks.any(axis=(2, 3))
    np.testing.assert_array_equal(present.sum(axis=1), 2)
    pairs = {tuple(np.flatnonzero(row)) for row in present}
    assert len(pairs) == (1 if owner_per == "batch" else 6)


def single_source(masks):
    return (masks.mean(axis=(2, 3)) == 1).any(axis=1)


def test_single_source_masks_come_in_the_last_twelfth_only():
    arguments = {"alpha": HALVES, "batch_size": 4000}
    for progress in (0.0, 0.5, 11 / 12):
        assert not single_source(drawn(progress=progress, **arguments)).any()
    middle = single_source(drawn(progress=11.5 / 12, **arguments))
    np.testing.assert_allclose(middle.mean(), 0.5, atol=0.03)
    assert single_source(drawn(progress=1.0, **arguments)).all()


def test_without_ramp_no_mask_is_made_single_source():
    masks = drawn(progress=1.0, alpha=HALVES, single_source_ramp=False)
    assert not single_source(masks).any()


def test_single_sources_are_fair_at_the_end():
    masks = drawn(progress=1.0, batch_size=4000, num_subnetworks=3, owner_per="sample")
    np.testing.assert_allclose(masks.mean(axis=(0, 2, 3)), 1 / 3, atol=0.03)


@pytest.mark.parametrize("patch_size", [2, 4])
def test_averaged_masks_are_means_of_the_masks_in_pixels(patch_size):
    arguments = {"image_size": (8, 12), "num_subnetworks": 3}
    pixels = drawn(patch_size=1, **arguments)
    averaged = drawn(patch_size=patch_size, binarize=False, **arguments)
    means = patches(pixels, patch_size).mean((3, 5))
    np.testing.assert_allclose(averaged, means, atol=1e-6)
    assert np.any((averaged > 0) & (averaged < 1))
    np.testing.assert_allclose(averaged.sum(axis=1), 1.0, atol=1e-6)


def test_binarized_masks_go_to_the_larger_mean():
    averaged = drawn(binarize=False)
    binarized = drawn()
    clear = averaged != 0.5
    np.testing.assert_array_equal(binarized[clear], averaged[clear] > 0.5)


def test_ties_go_one_way_in_a_sample_and_fairly_over_samples():
    arguments = {"patch_size": 2, "batch_size": 4000}
    tied = drawn(binarize=False, **arguments)[:, 0] == 0.5
    first = drawn(**arguments)[:, 0]
    count = tied.sum(axis=(1, 2))
    won = (first * tied).sum(axis=(1, 2))
    some = count > 0
    assert some.sum() > 1000
    assert np.all((won[some] == 0) | (won[some] == count[some]))
    np.testing.assert_allclose((won[some] > 0).mean(), 0.5, atol=0.05)


def test_draws_depend_on_the_generator_alone():
    sampler = PatchCutMix(4, num_subnetworks=3)
    first, second = (
        sampler.draw(np.random.default_rng(5), 64, (16, 16), 0.95) for _ in range(2)
    )
    np.testing.assert_array_equal(first, second)
    other = sampler.draw(np.random.default_rng(6), 64, (16, 16), 0.95)
    assert np.any(first != other)


@pytest.mark.parametrize("alpha", [0, -1, float("nan"), float("inf")])
def test_alpha_must_be_positive_and_finite(alpha):
    with pytest.raises(
        ValueError,
        match=f"`alpha` must be a positive finite number. Received: alpha={alpha}",
    ):
        PatchCutMix(4, alpha=alpha)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patch_size": 0},
            "`patch_size` must be an integer of at least 1. Received: patch_size=0",
        ),
        (
            {"patch_size": 4.0},
            "`patch_size` must be an integer of at least 1. Received: patch_size=4.0",
        ),
        (
            {"patch_size": 4, "num_subnetworks": 1},
            "`num_subnetworks` must be an integer of at least 2. "
            "Received: num_subnetworks=1",
        ),
        (
            {"patch_size": 4, "owner_per": "epoch"},
            "`owner_per` must be one of 'batch', 'sample'. Received: owner_per='epoch'",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        PatchCutMix(**arguments)
