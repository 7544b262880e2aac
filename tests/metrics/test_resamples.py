"""Resamples of images, and percentiles."""

import numpy as np
import pytest

from keras_mixvit.metrics import _resamples
from keras_mixvit.metrics._resamples import Resamples, weighted_means


def test_each_resample_has_as_many_images():
    counts = Resamples(300, 50, seed=1).counts
    assert (counts.sum(axis=1) == 300).all()
    # Each image is drawn once on average, with the variance of Poisson's.
    assert counts.mean(axis=0) == pytest.approx(np.ones(300), abs=0.8)
    assert counts.var() == pytest.approx(1, abs=0.1)


def test_the_seed_decides():
    first, again, other = (Resamples(40, 5, seed).counts for seed in (1, 1, 2))
    assert (first == again).all()
    assert (first != other).any()
    assert (Resamples(40, 9, 1).counts[:5] == first).all()
    assert (Resamples(40, 5, [1, 2]).counts != first).any()


@pytest.mark.parametrize("level", [0.5, 0.9, 0.95])
def test_percentiles_are_values_of_resamples(level):
    values = np.random.default_rng(0).normal(size=(1000, 3))
    found = Resamples(2, 1000, 0, level).interval(values)
    tails = [(1 - level) / 2, (1 + level) / 2]
    expected = np.quantile(values, tails, axis=0, method="nearest")
    assert found == pytest.approx(expected)


def test_what_is_not_defined_is_left_out_and_infinity_stays():
    values = np.array([[1.0, np.nan, np.inf], [np.nan, np.nan, np.inf], [2, np.nan, 0]])
    found = Resamples(2, 3, 0).interval(values)
    assert found[:, 0].tolist() == [1, 2]
    assert np.isnan(found[:, 1]).all()
    assert found[:, 2].tolist() == [0, np.inf]


def test_values_are_in_the_order_of_the_resamples(monkeypatch):
    first, second = Resamples(7, 20, 0), Resamples(3, 20, 1)

    def function(one, two):
        return np.stack([one[:, 0], two[:, 1]], axis=1)

    whole = first.values(function, second)
    monkeypatch.setattr(_resamples, "NUMBERS", 1)
    assert (first.values(function, second) == whole).all()
    expected = np.stack([first.counts[:, 0], second.counts[:, 1]], axis=1)
    assert (whole == expected).all()


def test_means_without_weight_are_not_defined():
    found = weighted_means(np.array([[0.0, 0], [1, 3]]), np.array([[2.0], [6.0]]))
    assert np.isnan(found[0, 0])
    assert found[1, 0] == 5


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 0}, "`replicates` must be an integer of at least 1"),
        ({"level": 1}, r"`level` must be in \(0, 1\). Received: level=1"),
        ({"level": "a"}, r"`level` must be in \(0, 1\)"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        Resamples(**{"samples": 5, "replicates": 3, "seed": 0, **options})
