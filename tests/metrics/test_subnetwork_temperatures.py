"""One temperature per subnetwork."""

import numpy as np
import pytest

from keras_mixvit.metrics import (
    calibrated_nll,
    fit_subnetwork_temperatures,
    fit_temperature,
    nll,
)
from tests.metrics import plain

KINDS = ("logits", "probabilities")


def unequal(n=2000, seed=0):
    """Two subnetworks, the second of which is much too sure."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(5, size=n)
    noise = rng.normal(size=(n, 2, 5)) * [[0.5], [1.0]]
    logits = (np.eye(5)[labels][:, None] + noise) * [[4.0], [20.0]]
    return logits, labels


def mean_nll(logits, labels, temperatures, kind):
    values = logits / np.reshape(temperatures, (-1, 1))
    if kind == "logits":
        return nll(values.mean(axis=1), labels)
    shares = [[plain.probabilities(row) for row in rows] for rows in values]
    return nll(np.log(np.mean(shares, axis=1)), labels)


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_temperatures_are_better(kind):
    logits, labels = unequal(300)
    found = fit_subnetwork_temperatures(logits, labels, kind, penalty=0)
    best = mean_nll(logits, labels, found, kind)
    for change in ((1.02, 1), (1, 1.02), (0.98, 1), (1, 0.98), (1.02, 0.98)):
        assert mean_nll(logits, labels, found * change, kind) > best
    common = fit_temperature(logits, labels)
    assert best < mean_nll(logits, labels, [common] * 2, kind)


def test_alike_subnetworks_have_the_temperature_of_one():
    logits, labels = plain.drawn(n=300, scale=6)
    expected = fit_temperature(logits, labels)
    for kind in KINDS:
        found = fit_subnetwork_temperatures(
            np.repeat(logits[:, None], 3, axis=1), labels, kind
        )
        assert found == pytest.approx(np.full(3, expected), rel=1e-3)


def test_many_samples_start_from_few():
    logits, labels = unequal(20000)
    found = fit_subnetwork_temperatures(logits, labels)
    few = fit_subnetwork_temperatures(logits[:4000], labels[:4000])
    assert found == pytest.approx(few, rel=0.1)
    again = fit_subnetwork_temperatures(logits, labels, penalty=0)
    assert found == pytest.approx(again, rel=1e-2)


@pytest.mark.parametrize("kind", KINDS)
def test_it_is_compared_on_held_out_samples(kind):
    logits, labels = unequal()
    found = calibrated_nll(logits, labels, method="subnetworks", ensemble_of=kind)
    order = np.random.default_rng(0).permutation(len(labels))
    halves = np.sort(order[:1000]), np.sort(order[1000:])
    values = []
    for fit, half in (halves, halves[::-1]):
        temperatures = fit_subnetwork_temperatures(logits[fit], labels[fit], kind)
        values.append(mean_nll(logits[half], labels[half], temperatures, kind))
    assert found == pytest.approx(np.mean(values), abs=1e-5)
    if kind == "logits":
        assert found < calibrated_nll(logits, labels)


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_best_temperature_all_have_that_of_the_mean(kind):
    right = 5 * np.eye(3)[[[0, 0], [1, 1]]]
    assert fit_subnetwork_temperatures(right, [0, 1], kind).tolist() == [0, 0]
    wrong = fit_subnetwork_temperatures(right, [1, 2], kind)
    assert wrong.tolist() == [np.inf] * 2


@pytest.mark.parametrize("kind", KINDS)
def test_probabilities_of_zero_and_a_subnetwork_that_is_always_right(kind):
    logits, labels = unequal(200)
    logits[::7, :, 4] = -np.inf
    logits[labels == 4] = np.abs(np.where(np.isinf(logits), 1, logits))[labels == 4]
    assert np.isfinite(fit_subnetwork_temperatures(logits, labels, kind)).all()
    logits[:, 0] = 4 * np.eye(5)[labels]
    logits[:3, 1] = -40 * np.eye(5)[labels[:3]]
    found = fit_subnetwork_temperatures(logits, labels, kind)
    assert (found[0] < found[1]) | ~np.isfinite(found).all() | (found == 0).all()


@pytest.mark.parametrize(
    ("logits", "options", "message"),
    [
        (np.zeros((2, 3)), {}, r"`logits` must have shape \(n, M, K\)"),
        (np.zeros((2, 1, 3)), {}, "`logits` must have at least two subnetworks"),
        (np.full((2, 2, 3), np.nan), {}, "`logits` must not be NaN"),
        (np.zeros((2, 2, 3)), {"ensemble_of": "x"}, "`ensemble_of` must be one of"),
        (np.zeros((2, 2, 3)), {"penalty": "x"}, "`penalty` must be a number of at le"),
    ],
)
def test_what_does_not_fit_is_refused(logits, options, message):
    with pytest.raises(ValueError, match=message):
        fit_subnetwork_temperatures(logits, [0, 1], **options)
