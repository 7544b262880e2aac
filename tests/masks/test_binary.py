"""What the samplers of masks have in common; their regions have files of their own."""

import dataclasses
import re
import warnings
from functools import partial
from unittest import mock

import numpy as np
import pytest

from keras_mixvit.masks import (
    BinaryOrLinear,
    ConcatenationMasks,
    ConstantMasks,
    CowMasks,
    CutMixMasks,
    FMixMasks,
    LinearMasks,
    PatchUpMasks,
)

# With this parameter ratios are close to half: no region is empty or everything.
HALVES = 200.0

BINARY = {
    "cutmix": CutMixMasks,
    "left and right": ConcatenationMasks,
    "above and below": partial(ConcatenationMasks, direction="vertical"),
    "patchup": PatchUpMasks,
    "fmix": FMixMasks,
}
OF_TWO = {**BINARY, "cow": CowMasks}


def constant(patch_size=1, **arguments):
    return ConstantMasks(patch_size, **arguments)


def either(**arguments):
    return BinaryOrLinear(CutMixMasks(**arguments))


OF_ANY_NUMBER = {**BINARY, "linear": LinearMasks, "constant": constant}


def parameters(samplers):
    return pytest.mark.parametrize("make", samplers.values(), ids=samplers)


def drawn(sampler, seed=0, batch_size=64, image_size=(12, 12), progress=0.0):
    return sampler.draw(np.random.default_rng(seed), batch_size, image_size, progress)


def drawn_with_region(sampler, seed=0, **arguments):
    """Masks with the ratios and the region that they were made of."""
    calls = []
    draw_region = type(sampler).draw_region

    def recorded(self, rng, ratios, grid_shape):
        calls.append((ratios, draw_region(self, rng, ratios, grid_shape)))
        return calls[-1][1]

    with mock.patch.object(type(sampler), "draw_region", recorded):
        masks = drawn(sampler, seed, **arguments)
    [(ratios, region)] = calls
    return masks, ratios, region


def owner_of(masks, region):
    """The one member whose mask is the region in the whole batch."""
    [owner] = np.flatnonzero((masks == region[:, None]).all(axis=(0, 2, 3)))
    return owner


def standard_deviation(members, alpha=2.0):
    """Of one of the shares that a symmetric Dirichlet distribution draws."""
    mean = 1 / members
    return (mean * (1 - mean) / (members * alpha + 1)) ** 0.5


@pytest.mark.parametrize(
    ("image_size", "patch_size", "grid_shape"),
    [
        ((16, 16), 1, (16, 16)),
        ((32, 32), 4, (8, 8)),
        ((14, 26), 2, (7, 13)),
        ((60, 24), 3, (20, 8)),
    ],
)
@pytest.mark.parametrize("members", [2, 3, 5])
@parameters({**OF_ANY_NUMBER, "cow": CowMasks, "either": either})
def test_masks_are_shares_on_the_grid(
    make, members, image_size, patch_size, grid_shape
):
    more = {} if make is CowMasks else {"num_subnetworks": members}
    sampler = make(patch_size=patch_size, **more)
    masks = drawn(sampler, batch_size=20, image_size=image_size)
    assert masks.shape == (20, sampler.num_subnetworks, *grid_shape)
    assert masks.dtype == np.float32
    assert masks.min() >= 0
    assert masks.max() <= 1
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=0, atol=1e-6)


@parameters(OF_TWO)
def test_masks_of_two_inputs_are_binary_and_differ(make):
    masks = drawn(make())
    assert set(np.unique(masks)) == {0.0, 1.0}
    # Of 64 draws; a line on this grid has 24 places with a side.
    assert len(np.unique(masks.reshape(len(masks), -1), axis=0)) > 10


@pytest.mark.parametrize("mixing", ["dirichlet", "two"])
@pytest.mark.parametrize("members", [2, 3])
@parameters(BINARY)
def test_region_goes_to_one_member_of_the_whole_batch(make, members, mixing):
    sampler = make(num_subnetworks=members, mixing=mixing, alpha=20.0)
    batches = 90
    owners = []
    for seed in range(batches):
        masks, ratios, region = drawn_with_region(sampler, seed, batch_size=8)
        owners.append(owner_of(masks, region))
        assert len(set(ratios)) == 8
        assert len(np.unique(region.reshape(8, -1), axis=0)) > 1
    counts = np.bincount(owners, minlength=members)
    share = 1 / members
    # Four standard deviations of the count of one owner.
    room = 4 * (batches * share * (1 - share)) ** 0.5
    np.testing.assert_allclose(counts, batches * share, atol=room)


@parameters(BINARY)
def test_the_others_divide_the_rest_in_constant_proportions(make):
    sampler = make(num_subnetworks=3, alpha=HALVES)
    masks, _, region = drawn_with_region(sampler, batch_size=200, image_size=(32, 32))
    owner = owner_of(masks, region)
    others = np.delete(masks, owner, axis=1)
    assert not (others * region[:, None]).any()
    rest = ~region[:, None] & np.ones_like(others, bool)
    shares = others.max(axis=(2, 3))
    expected = np.where(rest, shares[:, :, None, None], 0)
    np.testing.assert_array_equal(others, expected)
    np.testing.assert_allclose(shares.sum(axis=1), 1, atol=1e-6)
    assert len(np.unique(shares[:, 0])) > 150


def test_proportions_of_the_others_are_drawn_as_by_their_ratios():
    # Of Dir(2, 2, 2) the second share of the last two is Beta(2, 2), whatever
    # the first ratio is.
    sampler = CutMixMasks(num_subnetworks=3)
    masks, ratios, region = drawn_with_region(
        sampler, batch_size=20_000, image_size=(8, 8)
    )
    others = np.delete(masks, owner_of(masks, region), axis=1).max(axis=(2, 3))
    shared = others.sum(axis=1) > 0
    shares = others[shared, 0]
    np.testing.assert_allclose(shares.mean(), 1 / 2, atol=0.01)
    np.testing.assert_allclose(shares.std(), standard_deviation(2), atol=0.01)
    assert abs(np.corrcoef(shares, ratios[shared])[0, 1]) < 0.04


@pytest.mark.parametrize(
    ("members", "mixing", "mixed"),
    [(2, "dirichlet", 2), (3, "dirichlet", 3), (4, "two", 2)],
)
@pytest.mark.parametrize("alpha", [1.0, 2.0])
def test_regions_are_drawn_for_dirichlet_ratios(members, mixing, mixed, alpha):
    sampler = CutMixMasks(num_subnetworks=members, mixing=mixing, alpha=alpha)
    _, ratios, _ = drawn_with_region(sampler, batch_size=20_000, image_size=(2, 2))
    np.testing.assert_allclose(ratios.mean(), 1 / mixed, atol=0.01)
    np.testing.assert_allclose(
        ratios.std(), standard_deviation(mixed, alpha), atol=0.01
    )


@parameters(BINARY)
def test_exactly_two_of_four_members_are_mixed(make):
    sampler = make(num_subnetworks=4, mixing="two", alpha=HALVES)
    pairs = set()
    for seed in range(150):
        masks, _, region = drawn_with_region(
            sampler, seed, batch_size=3, image_size=(32, 32)
        )
        assert set(np.unique(masks)) == {0.0, 1.0}
        present = masks.any(axis=(2, 3))
        np.testing.assert_array_equal(present.sum(axis=1), 2)
        assert np.all(present == present[0])
        owner = owner_of(masks, region)
        pairs.update((owner, other) for other in np.flatnonzero(present[0]))
    # Twelve ordered pairs, and each owner with itself.
    assert len(pairs) == 16


@pytest.mark.parametrize(
    ("members", "mixing"), [(2, "dirichlet"), (3, "dirichlet"), (4, "two")]
)
@parameters(BINARY)
def test_mean_ratio_of_every_member_is_fair(make, members, mixing):
    sampler = make(num_subnetworks=members, mixing=mixing)
    rng = np.random.default_rng(0)
    batches = 600
    ratios = np.array(
        [sampler.draw(rng, 2, (8, 8)).mean(axis=(0, 2, 3)) for _ in range(batches)]
    )
    # The owner is drawn once per batch, so the batches are the draws. Four and
    # a half standard errors.
    errors = ratios.std(axis=0) / batches**0.5
    assert np.all(np.abs(ratios.mean(axis=0) - 1 / members) < 4.5 * errors)
    assert np.all(errors < 0.02)


@parameters({**OF_TWO, "linear": LinearMasks, "either": either})
def test_draws_depend_on_the_generator_alone(make):
    first, second, other = (drawn(make(), seed) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first, second)
    assert np.any(first != other)


@parameters({**OF_TWO, "linear": LinearMasks, "constant": constant})
def test_progress_changes_nothing(make):
    early, late = (drawn(make(), progress=progress) for progress in (0.0, 1.0))
    np.testing.assert_array_equal(early, late)


@parameters({**OF_ANY_NUMBER, "cow": CowMasks, "either": either})
def test_samplers_are_values(make):
    sampler = make()
    assert sampler == make()
    assert hash(sampler) == hash(make())
    assert sampler != make(patch_size=2)
    assert sampler != "sampler"
    [name, *_] = (field.name for field in dataclasses.fields(sampler))
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(sampler, name, 2)


def test_samplers_of_two_families_differ():
    assert len({make() for make in OF_TWO.values()} | {LinearMasks()}) == 7


@pytest.mark.parametrize("alpha", [1e-2, 1e3])
@pytest.mark.parametrize("members", [2, 3, 5])
@parameters({**BINARY, "linear": LinearMasks})
def test_extreme_alpha_gives_shares(make, members, alpha):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        masks = drawn(make(num_subnetworks=members, alpha=alpha), batch_size=300)
    np.testing.assert_allclose(masks.sum(axis=1), 1, rtol=0, atol=1e-6)


@pytest.mark.parametrize("alpha", [0, -1, float("nan"), float("inf")])
@parameters({**BINARY, "linear": LinearMasks})
def test_alpha_must_be_positive_and_finite(make, alpha):
    message = f"`alpha` must be a positive finite number. Received: alpha={alpha}"
    with pytest.raises(ValueError, match=re.escape(message)):
        make(alpha=alpha)


@pytest.mark.parametrize("patch_size", [0, 2.0])
@parameters({**OF_TWO, "linear": LinearMasks})
def test_patch_size_must_be_a_positive_integer(make, patch_size):
    message = (
        "`patch_size` must be an integer of at least 1. "
        f"Received: patch_size={patch_size}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        make(patch_size=patch_size)


@pytest.mark.parametrize("members", [1, 2.0])
@parameters({**BINARY, "linear": LinearMasks})
def test_there_must_be_at_least_two_members(make, members):
    message = (
        "`num_subnetworks` must be an integer of at least 2. "
        f"Received: num_subnetworks={members}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        make(num_subnetworks=members)


@parameters(BINARY)
def test_mixing_must_be_known(make):
    message = (
        "`mixing` must be one of 'dirichlet', 'two'. Received: mixing='dirichlet3'"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        make(mixing="dirichlet3")
