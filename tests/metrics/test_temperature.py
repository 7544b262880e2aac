"""Temperatures, against golden-section search, and calibrated NLL."""

import math

import numpy as np
import pytest

from keras_mixvit.metrics import _temperature as temperature
from keras_mixvit.metrics import calibrated_nll, fit_temperature, nll
from keras_mixvit.metrics._calibrated_nll import calibrated
from tests.metrics import plain

INFINITE = float("inf")
GOLDEN = (math.sqrt(5) - 1) / 2


def searched(logits, labels, low=-60.0, high=60.0):
    """The best temperature by golden-section search in its logarithm."""

    def loss(x):
        values = logits / math.exp(x)
        values = values - values.max(axis=1, keepdims=True)
        of_true = values[np.arange(len(labels)), labels]
        return np.mean(np.log(np.exp(values).sum(axis=1)) - of_true)

    # A coarse grid first: NLL is flat, and equal to rounding, at both ends.
    grid = np.linspace(low, high, 241)
    best = int(np.argmin([loss(x) for x in grid]))
    low, high = grid[max(best - 1, 0)], grid[min(best + 1, 240)]
    for _ in range(60):
        left, right = high - GOLDEN * (high - low), low + GOLDEN * (high - low)
        low, high = (low, right) if loss(left) < loss(right) else (left, high)
    return math.exp((low + high) / 2)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("scale", [1e-6, 0.1, 1, 30, 1e6, 1e12])
def test_the_temperature_is_the_best(seed, scale):
    logits, labels = plain.drawn(seed, n=40, scale=scale)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(searched(logits, labels), rel=1e-4)


def test_the_temperature_of_predictions_on_several_scales():
    logits, labels = plain.drawn(n=40, scale=1.0)
    logits[::2] *= 1e4
    logits[1::4] *= 1e-3
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(searched(logits, labels), rel=1e-4)


def test_the_temperature_of_predictions_that_are_nearly_all_right():
    logits = np.array([[1.0, 0.0]] * 999 + [[1e-3, 0.0]])
    labels = [0] * 999 + [1]
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(searched(logits, labels), rel=1e-4)


@pytest.mark.parametrize("margin", [1e-2, 1e-4])
def test_few_passes_find_the_temperature(monkeypatch, margin):
    # Far below 1, and Newton's steps towards it are all alike.
    logits = np.array([[1.0, 0.0]] * 1000 + [[margin, 0.0]])
    labels = np.array([0] * 1000 + [1])
    slope, passes = temperature._slope, []

    def counted(*arguments):
        passes.append(arguments)
        return slope(*arguments)

    monkeypatch.setattr(temperature, "_slope", counted)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(searched(logits, labels), rel=1e-4)
    assert len(passes) <= 12


def test_the_temperature_in_closed_form():
    logits = np.log([[0.9, 0.1]] * 8)
    found = fit_temperature(logits, [0] * 7 + [1])
    assert found == pytest.approx(math.log(9) / math.log(7), rel=1e-6)


def test_the_temperature_scales_with_the_logits():
    logits, labels = plain.drawn()
    expected = fit_temperature(logits, labels)
    for scale in (1e-30, 1e30):
        found = fit_temperature(scale * logits, labels)
        assert found == pytest.approx(scale * expected, rel=1e-5)


def test_no_loss_is_smaller_at_a_temperature_nearby():
    logits, labels = plain.drawn(scale=10)
    best = fit_temperature(logits, labels)
    at_best = nll(logits / best, labels)
    for factor in (0.99, 1.01):
        assert nll(logits / (best * factor), labels) > at_best


def test_many_samples_are_fitted_roughly_first(monkeypatch):
    logits, labels = plain.drawn(n=400)
    expected = fit_temperature(logits, labels)
    monkeypatch.setattr(temperature, "ROUGH", 20)
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-6)


def test_a_rough_fit_without_a_temperature_does_no_harm(monkeypatch):
    logits, labels = np.tile([[2.0, 0.0]], (400, 1)), np.zeros(400, int)
    # The only errors are where the rough fit does not look.
    labels[3::20] = 1
    expected = fit_temperature(logits, labels)
    monkeypatch.setattr(temperature, "ROUGH", 20)
    assert fit_temperature(logits, labels) == pytest.approx(expected, rel=1e-6)


def test_temperatures_without_a_minimum():
    assert fit_temperature(np.eye(3), [0, 1, 2]) == 0
    assert fit_temperature([[1.0, 1.0, 0.0]], [0]) == 0
    assert fit_temperature(np.eye(3), [1, 2, 0]) == INFINITE


def test_temperatures_that_change_nothing():
    assert fit_temperature(np.zeros((3, 2)), [0, 1, 0]) == 1
    assert fit_temperature([[3.0], [1.0]], [0, 0]) == 1
    assert fit_temperature([[1.0, 1.0, -INFINITE]], [0]) == 1


def test_classes_of_probability_zero_count_at_no_temperature():
    logits, labels = plain.drawn(classes=3, scale=10)
    wider = np.concatenate([logits, np.full((len(logits), 1), -INFINITE)], axis=1)
    expected = fit_temperature(logits, labels)
    assert fit_temperature(wider, labels) == pytest.approx(expected, rel=1e-6)
    # With an infinite loss at every temperature, a sample decides nothing.
    impossible = np.append(labels, 3)
    wider = np.append(wider, [[1.0, 0.0, 0.0, -INFINITE]], axis=0)
    assert fit_temperature(wider, impossible) == pytest.approx(expected, rel=1e-6)
    assert fit_temperature(wider[-1:], [3]) == 1
    # Nor do such classes make equal probabilities.
    assert fit_temperature([[0.0, 1.0, -INFINITE]], [0]) == INFINITE


def test_subnetworks_are_averaged_before_the_fit():
    logits, labels = plain.drawn(members=3)
    mean = logits.mean(axis=1)
    assert fit_temperature(logits, labels) == fit_temperature(mean, labels)
    assert calibrated_nll(logits, labels) == calibrated_nll(mean, labels)


def test_calibrated_nll_is_of_halves_with_the_temperature_of_the_other():
    logits, labels = plain.drawn(n=61, scale=10)
    order = np.random.default_rng(3).permutation(61)
    first, second = order[:30], order[30:]
    values = []
    for fitted, judged in ((first, second), (second, first)):
        best = searched(logits[fitted], labels[fitted])
        values.append(nll(logits[judged] / best, labels[judged]))
    found = calibrated_nll(logits, labels, seed=3)
    assert found == pytest.approx(np.mean(values), rel=1e-6)
    assert found != calibrated_nll(logits, labels)


def test_calibrated_nll_tells_the_temperatures_of_the_halves():
    logits, labels = plain.drawn(n=61, scale=10)
    order = np.random.default_rng(3).permutation(61)
    _, applied = calibrated(logits, labels, seed=3)
    expected = [fit_temperature(logits[h], labels[h]) for h in (order[30:], order[:30])]
    assert applied == pytest.approx(expected, rel=1e-6)


def test_calibrated_nll_does_not_change_with_a_temperature():
    logits, labels = plain.drawn()
    expected = calibrated_nll(logits, labels)
    assert calibrated_nll(7 * logits, labels) == pytest.approx(expected, rel=1e-6)


def test_a_half_without_errors_leaves_the_other_as_it_is():
    logits, labels = 3 * np.eye(2)[[0] * 10], [0] * 10
    # The half with the error is calibrated by nothing, the other by the error.
    labels[0] = 1
    order = np.random.default_rng(0).permutation(10)
    half = order[:5] if 0 in order[:5] else order[5:]
    other = np.setdiff1d(order, half)
    best = fit_temperature(logits[half], np.array(labels)[half])
    values = [
        nll(logits[half], np.array(labels)[half]),
        nll(logits[other] / best, np.array(labels)[other]),
    ]
    found = calibrated_nll(logits, labels)
    assert found == pytest.approx(np.mean(values), rel=1e-9)


def test_calibrated_nll_where_no_prediction_is_better_than_chance():
    logits = np.array([[0.0, 1.0, -INFINITE]] * 6)
    assert calibrated_nll(logits, [0] * 6) == pytest.approx(math.log(2))
    assert calibrated_nll(logits, [2] * 6) == INFINITE


def test_what_cannot_be_calibrated_is_refused():
    with pytest.raises(ValueError, match="`logits` must have at least two samples"):
        calibrated_nll([[1.0, 0.0]], [0])
    with pytest.raises(ValueError, match="`seed` must be an integer of at least 0"):
        calibrated_nll([[1.0, 0.0]] * 2, [0, 1], seed=-1)
    for function in (fit_temperature, calibrated_nll):
        with pytest.raises(ValueError, match="`logits` must not be NaN"):
            function([[1.0, 0.0], [np.nan, 1.0]], [0, 1])
        with pytest.raises(ValueError, match="`labels` must be in 0 to 1"):
            function([[1.0, 0.0], [0.0, 1.0]], [0, 2])
