import numpy as np
import pytest

from keras_mixvit.masks import CutMixMasks


class KnownCenters:
    """A generator whose integers are given: rows first, then columns."""

    def __init__(self, *centers):
        self.centers = list(centers)

    def integers(self, high, size):
        center = self.centers.pop(0)
        assert size == len(center)
        assert max(center) < high
        return center


def regions(ratios, centers, grid_shape):
    rows, columns = np.array(centers).T
    rng = KnownCenters(rows, columns)
    return CutMixMasks().draw_region(rng, np.asarray(ratios), grid_shape)


def every_center(height, width):
    return [(row, column) for row in range(height) for column in range(width)]


def edges(center, side, ratio):
    """First place in the box and first place after it, along one axis."""
    half = int(side * ratio**0.5) // 2
    return max(center - half, 0), min(center + half, side)


def cumulative(ratio):
    """Of Beta(2, 2)."""
    return 3 * ratio**2 - 2 * ratio**3


def exact_areas(side):
    """Pairs (probability, share) over all half sides and centres, Beta(2, 2)."""
    halves = range(side // 2 + 1)
    # The half side is h where side * sqrt(ratio) lies in [2 h, 2 h + 2).
    bounds = [min((2 * half / side) ** 2, 1) for half in (*halves, side)]
    pairs = []
    for half in halves:
        chance = cumulative(bounds[half + 1]) - cumulative(bounds[half])
        lengths = [
            min(center + half, side) - max(center - half, 0) for center in range(side)
        ]
        pairs += [
            (chance / side**2, rows * columns / side**2)
            for rows in lengths
            for columns in lengths
        ]
    return np.array(pairs).T


@pytest.mark.parametrize("grid_shape", [(32, 32), (12, 20), (7, 31)])
def test_corners_are_those_of_the_published_box(grid_shape):
    rng = np.random.default_rng(0)
    ratios = [*rng.random(300).tolist(), 0.0, 0.25, 1.0]
    centers = [tuple(int(rng.integers(side)) for side in grid_shape) for _ in ratios]
    found = regions(ratios, centers, grid_shape)
    assert found.shape == (len(ratios), *grid_shape)
    assert found.dtype == bool
    for region, center, ratio in zip(found, centers, ratios, strict=True):
        (top, bottom), (left, right) = (
            edges(place, side, ratio)
            for place, side in zip(center, grid_shape, strict=True)
        )
        inside = {
            (row, column) for row in range(top, bottom) for column in range(left, right)
        }
        assert set(zip(*(i.tolist() for i in region.nonzero()), strict=True)) == inside


@pytest.mark.parametrize(
    ("ratio", "length_sum", "published"), [(0.5, 583, 0.324), (0.3, 448, 0.191)]
)
def test_mean_area_over_all_centers_is_that_of_the_published_box(
    ratio, length_sum, published
):
    # The sums of the clipped lengths over 32 centres, added up by hand.
    centers = every_center(32, 32)
    found = regions([ratio] * len(centers), centers, (32, 32))
    assert found.sum() == length_sum**2
    np.testing.assert_allclose(found.mean(), published, atol=5e-4)


def test_boxes_within_the_grid_have_even_sides():
    ratios = np.linspace(0.01, 0.99, 400)
    found = regions(ratios, [(16, 16)] * 400, (32, 32))
    sides = found.any(axis=2).sum(axis=1)
    np.testing.assert_array_equal(sides, found.any(axis=1).sum(axis=1))
    np.testing.assert_array_equal(sides % 2, 0)
    np.testing.assert_array_equal(sides, [int(32 * r**0.5) // 2 * 2 for r in ratios])


def test_centers_are_uniform_over_the_whole_grid():
    # A box of two places around (row, column) ends there, or is one place long
    # at the first row and column.
    rng = np.random.default_rng(0)
    found = CutMixMasks().draw_region(rng, np.full(20_000, 0.3), (4, 6))
    rows = found.any(axis=2).cumsum(axis=1).argmax(axis=1)
    columns = found.any(axis=1).cumsum(axis=1).argmax(axis=1)
    counts = np.zeros((4, 6))
    np.add.at(counts, (rows, columns), 1)
    # Five standard deviations of the count of a centre.
    expected = 20_000 / 24
    np.testing.assert_allclose(counts, expected, atol=5 * expected**0.5)


def test_published_area_follows_from_the_rule():
    chances, areas = exact_areas(32)
    mean = chances @ areas
    np.testing.assert_allclose(chances.sum(), 1)
    np.testing.assert_allclose(mean, 0.307, atol=1e-3)
    np.testing.assert_allclose((chances @ areas**2 - mean**2) ** 0.5, 0.154, atol=1e-3)
    np.testing.assert_allclose(chances @ (areas < 0.5), 0.887, atol=1e-3)


def test_area_of_the_region_is_the_published_one():
    rng = np.random.default_rng(0)
    areas = np.concatenate(
        [
            CutMixMasks()
            .draw_region(rng, rng.beta(2, 2, 2000), (32, 32))
            .mean(axis=(1, 2))
            for _ in range(10)
        ]
    )
    np.testing.assert_allclose(areas.mean(), 0.307, atol=0.01)
    np.testing.assert_allclose(areas.std(), 0.154, atol=0.01)
    np.testing.assert_allclose((areas < 0.5).mean(), 0.887, atol=0.01)


def test_ratio_of_a_member_is_a_symmetric_mixture():
    rng = np.random.default_rng(0)
    ratios = np.concatenate(
        [CutMixMasks().draw(rng, 500, (32, 32))[:, 0].mean((1, 2)) for _ in range(20)]
    )
    # Around 1/2, where the spread does not depend on the few draws of the owner.
    spread = ((ratios - 0.5) ** 2).mean() ** 0.5
    np.testing.assert_allclose(spread, 0.247, atol=0.01)
