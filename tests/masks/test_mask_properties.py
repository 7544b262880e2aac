"""What every sampler of masks promises, for any size, number and progress."""

import inspect

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import masks
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConcatenationMasks,
    ConstantMasks,
    CowMasks,
    CutMixMasks,
    FMixMasks,
    LinearMasks,
    PatchCutMix,
    PatchUpMasks,
    box_coverage,
    loss_weighting,
    patch_majority,
)
from keras_mixvit.masks._mask_sampler import require_masks
from tests.properties import holds

ALPHAS = st.floats(0.05, 50)
MEMBERS = st.integers(2, 5)
MIXINGS = st.sampled_from(["dirichlet", "two"])
DIRECTIONS = st.sampled_from(["horizontal", "vertical"])
BINARY = {
    "cutmix": lambda s, m, a, mix, d: CutMixMasks(s, m, a, mix),
    "concatenation": lambda s, m, a, mix, d: ConcatenationMasks(s, m, a, mix, d),
    "fmix": lambda s, m, a, mix, d: FMixMasks(s, m, a, mix, decay=2.5),
    "patchup": lambda s, m, a, mix, d: PatchUpMasks(s, m, a, mix),
    "cowmask": lambda s, m, a, mix, d: CowMasks(s),
    "patch-cutmix": lambda s, m, a, mix, d: PatchCutMix(s, m, a),
}
SOFT = {
    "linear": lambda s, m, a, mix, d: LinearMasks(s, m, a),
    "averaged": lambda s, m, a, mix, d: PatchCutMix(s, m, a, binarize=False),
    "constant": lambda s, m, a, mix, d: ConstantMasks(s, m),
    "binary-or-linear": lambda s, m, a, mix, d: BinaryOrLinear(CutMixMasks(s, m, a)),
}
MAKERS = {**BINARY, **SOFT}


@st.composite
def draws(draw):
    """A sampler, its name, and the arguments of one draw."""
    name = draw(st.sampled_from(sorted(MAKERS)))
    size, members, mixing = draw(st.integers(1, 6)), draw(MEMBERS), draw(MIXINGS)
    smallest = {"patchup": 7, "cowmask": 2}.get(name, 1)
    grid = draw(st.tuples(*[st.integers(smallest, 14)] * 2))
    sampler = MAKERS[name](size, members, draw(ALPHAS), mixing, draw(DIRECTIONS))
    arguments = {
        "batch_size": draw(st.integers(1, 9)),
        "image_size": (grid[0] * size, grid[1] * size),
        "progress": draw(st.floats(0, 1)),
    }
    return name, sampler, grid, mixing, arguments


@holds(few=60, many=3000, drawn=draws(), seed=st.integers(0, 2**32 - 1))
def test_masks_are_shares_of_each_place(drawn, seed):
    name, sampler, grid, mixing, arguments = drawn
    masks = sampler.draw(np.random.default_rng(seed), **arguments)
    members = sampler.num_subnetworks
    assert masks.shape == (arguments["batch_size"], members, *grid)
    assert masks.dtype == np.float32
    require_masks(masks, masks.shape)
    np.testing.assert_allclose(masks.sum(axis=1, dtype="float64"), 1, atol=1e-6)
    if name in BINARY and (members == 2 or mixing == "two" or name == "patch-cutmix"):
        assert set(np.unique(masks)) <= {0.0, 1.0}
    if name in BINARY:
        # One input has a region, all of the others its complement.
        assert any(set(np.unique(masks[:, m])) <= {0.0, 1.0} for m in range(members))
    if (mixing == "two" and name in BINARY) or name in ("patch-cutmix", "averaged"):
        assert ((masks > 0).any(axis=(2, 3)).sum(axis=1) <= 2).all()
    if name in ("linear", "constant"):
        np.testing.assert_array_equal(masks, masks[..., :1, :1] + 0 * masks)
    # Ratios are means, whatever the layout in memory of what they are means of.
    ratios = masks.mean(axis=(2, 3), dtype="float64")
    np.testing.assert_allclose(ratios.sum(axis=1), 1, atol=1e-6)
    contiguous = np.ascontiguousarray(masks)
    np.testing.assert_array_equal(contiguous.mean(axis=(2, 3), dtype="float64"), ratios)


@holds(few=30, many=1000, drawn=draws(), seed=st.integers(0, 2**32 - 1))
def test_masks_are_a_pure_function_of_the_generator(drawn, seed):
    _, sampler, _, _, arguments = drawn
    first = sampler.draw(np.random.default_rng(seed), **arguments)
    rng = np.random.default_rng(seed)
    np.testing.assert_array_equal(sampler.draw(rng, **arguments), first)
    # What is drawn is the caller's: changing it changes no later draw.
    other = sampler.draw(rng, **arguments)
    other = np.array(other)
    first[:] = 7
    again = sampler.draw(np.random.default_rng(seed), **arguments)
    assert again.max() <= 1
    assert other.max() <= 1


@holds(
    few=20,
    many=500,
    name=st.sampled_from(sorted(set(MAKERS) - {"cowmask"})),
    size=st.integers(1, 3),
    seed=st.integers(0, 2**32 - 1),
    members=MEMBERS,
    mixing=MIXINGS,
    progress=st.floats(0, 1),
)
def test_every_subnetwork_owns_as_much_in_the_mean(
    name, size, seed, members, mixing, progress
):
    sampler = MAKERS[name](size, members, 1.0, mixing, "vertical")
    rng, image_size = np.random.default_rng(seed), (8 * size, 7 * size)
    means = np.stack(
        [sampler.draw(rng, 4, image_size, progress).mean((0, 2, 3)) for _ in range(400)]
    )
    # A batch has a standard deviation of at most 0.5, and there are 400: six
    # deviations of their mean, so that a sound sampler does not fail.
    deviation = means.std(axis=0) / 20
    assert (np.abs(means.mean(axis=0) - 1 / members) <= 6 * deviation + 1e-6).all()


@holds(
    few=30,
    many=2000,
    ratio=st.floats(0, 1),
    place=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    grid=st.tuples(st.integers(1, 12), st.integers(1, 12)),
    size=st.integers(1, 6),
    coin=st.sampled_from([0.0, 1.0]),
)
def test_coverage_counts_the_pixels_of_a_box(ratio, place, grid, size, coin):
    image_size = tuple(size * side for side in grid)
    centers = [
        np.array([float(int(p * (s - 1)))])
        for p, s in zip(place, image_size, strict=True)
    ]
    coverage = box_coverage(np.array([ratio]), centers, image_size, size)
    pixels = np.zeros(image_size)
    low, high = [], []
    for center, side in zip(centers, image_size, strict=True):
        half = int(side * np.sqrt(ratio)) // 2
        low.append(max(int(center[0]) - half, 0))
        high.append(min(int(center[0]) + half, side))
    pixels[low[0] : high[0], low[1] : high[1]] = 1
    patches = pixels.reshape(grid[0], size, grid[1], size).sum(axis=(1, 3))
    np.testing.assert_array_equal(coverage[0], patches)
    won = patch_majority(coverage, np.array([coin]), size)[0]
    half = size**2 / 2
    expected = np.where(patches == half, coin, patches > half)
    np.testing.assert_array_equal(won, expected)


@holds(
    few=30,
    many=2000,
    parts=st.lists(
        st.one_of(st.just(0.0), st.floats(1e-9, 1)), min_size=1, max_size=6
    ).filter(lambda parts: sum(parts) > 1e-3),
    r=st.one_of(st.floats(0.001, 1e6), st.just(float("inf"))),
)
def test_loss_weighting_is_equation_5(parts, r):
    ratios = np.array(parts) / sum(parts)
    weights = loss_weighting(ratios, r)
    powers = [ratio ** (1 / r) for ratio in ratios.tolist()]
    if max(powers) > 1e-250:
        expected = [len(parts) * power / sum(powers) for power in powers]
        np.testing.assert_allclose(weights, expected, rtol=1e-9, atol=1e-12)
    assert abs(weights.sum() - len(parts)) < 1e-9
    order = np.argsort(ratios)
    assert (np.diff(weights[order]) >= -1e-12).all()


@pytest.mark.parametrize("name", sorted(MAKERS))
def test_a_patch_that_does_not_tile_the_image_is_refused_by_the_data_set(name):
    from keras_mixvit.data import mixed_pair_dataset

    sampler = MAKERS[name](3, 2, 1.0, "two", "vertical")
    images, labels = np.zeros((4, 24, 25, 1), "uint8"), np.arange(4)
    with pytest.raises(ValueError, match=r"`masks\.patch_size` must divide"):
        mixed_pair_dataset(images, labels, sampler, epochs=1, batch_size=2)


def test_every_public_sampler_has_these_properties():
    public = {
        item
        for item in (getattr(masks, name) for name in masks.__all__)
        if inspect.isclass(item) and not inspect.isabstract(item)
    }
    made = {type(make(2, 2, 1.0, "two", "vertical")) for make in MAKERS.values()}
    assert made == public
