"""A factor and an offset per class."""

import numpy as np
import pytest

from keras_mixvit.metrics import fit_temperature, fit_vector_scaling, nll
from tests.metrics import plain


def objective(logits, labels, factors, offsets, start, penalty):
    """What is minimised, by its formula."""
    square = np.mean(np.square(logits))
    away = square * np.square(factors - start) + np.square(offsets)
    loss = len(labels) * nll(factors * logits + offsets, labels)
    return loss + penalty / 2 * away.sum()


def test_it_finds_the_scaling_that_was_undone():
    rng = np.random.default_rng(0)
    logits = 2 * rng.normal(size=(40000, 3))
    draws = rng.gumbel(size=logits.shape)
    labels = (logits + draws).argmax(axis=1)
    factors, offsets = np.array([0.5, 1.0, 2.0]), np.array([0.4, -0.1, -0.3])
    changed = (logits - offsets) / factors
    found = fit_vector_scaling(changed, labels, penalty=0)
    assert found[0] == pytest.approx(factors, rel=0.05)
    # A constant of all classes changes nothing.
    assert found[1] - found[1].mean() == pytest.approx(offsets, abs=0.05)


@pytest.mark.parametrize("penalty", [0.1, 1.0, 30])
def test_no_step_from_the_solution_is_better(penalty):
    logits, labels = plain.drawn(n=200, scale=6)

    start = 1 / fit_temperature(logits, labels)
    factors, offsets = fit_vector_scaling(logits, labels, penalty)
    best = objective(logits, labels, factors, offsets, start, penalty)
    rng = np.random.default_rng(0)
    for size in (1e-3, 1e-2, 0.1):
        for _ in range(20):
            steps = size * rng.normal(size=(2, 5))
            other = objective(
                logits, labels, factors + steps[0], offsets + steps[1], start, penalty
            )
            assert other > best - 1e-6


def test_a_large_penalty_leaves_one_temperature():

    logits, labels = plain.drawn(n=200)
    factors, offsets = fit_vector_scaling(logits, labels, penalty=1e9)
    expected = 1 / fit_temperature(logits, labels)
    assert factors == pytest.approx(np.full(5, expected), rel=1e-4)
    assert offsets == pytest.approx(np.zeros(5), abs=1e-4)


def test_right_predictions_and_classes_without_samples_have_a_solution():
    logits = 3 * np.eye(4)[[0, 1, 2, 0, 1, 2]]
    for labels in ([0, 1, 2, 0, 1, 2], [0] * 6, [1, 2, 0, 1, 2, 0]):
        factors, offsets = fit_vector_scaling(logits, labels)
        assert np.isfinite([factors, offsets]).all()


def test_one_class_and_equal_logits():
    for logits in (np.zeros((5, 1)), np.zeros((5, 3)), np.ones((5, 3))):
        factors, offsets = fit_vector_scaling(logits, [0] * 5)
        assert np.isfinite([factors, offsets]).all()


def test_subnetworks_are_averaged_first():
    logits, labels = plain.drawn(members=2)
    found = fit_vector_scaling(logits, labels)
    for one, two in zip(found, fit_vector_scaling(logits.mean(1), labels), strict=True):
        assert one == pytest.approx(two, abs=1e-5)


@pytest.mark.parametrize(
    ("logits", "labels", "options", "message"),
    [
        ([[0.0, -np.inf]], [0], {}, "`logits` must be finite for vector scaling. Rec"),
        ([[0.0, np.nan]], [0], {}, "`logits` must not be NaN or infinite"),
        ([[0.0, 1.0]], [2], {}, "`labels` must be in 0 to 1"),
        (
            [[0.0, 1.0]],
            [0],
            {"penalty": -1},
            "`penalty` must be a number of",
        ),
        ([[0.0, 1.0]], [0], {"penalty": np.inf}, "`penalty` must be a number of at le"),
    ],
)
def test_what_does_not_fit_is_refused(logits, labels, options, message):
    with pytest.raises(ValueError, match=message):
        fit_vector_scaling(logits, labels, **options)
