"""The risk-coverage curve, by hand and by random orders of equal confidences."""

import numpy as np
import pytest

from keras_mixvit.metrics import risk_coverage
from tests.metrics import plain


def logits_of(confidences):
    """Two classes, the first of which is predicted with these probabilities."""
    first = np.array(confidences)
    return np.log(np.stack([first, 1 - first], axis=1))


def test_by_hand():
    # In order of confidence: right, wrong, right, wrong.
    logits, labels = logits_of([0.6, 0.9, 0.7, 0.8]), [1, 0, 0, 1]
    coverage, risk = risk_coverage(logits, labels)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk == pytest.approx(np.array([0, 1 / 2, 1 / 3, 2 / 4]))


def test_equal_confidences_share_their_errors():
    logits, labels = logits_of([0.9, 0.7, 0.7, 0.7]), [0, 1, 0, 0]
    _, risk = risk_coverage(logits, labels)
    assert risk == pytest.approx(np.array([0, 1 / 6, 2 / 9, 1 / 4]))
    for order in ([1, 2, 3, 0], [3, 1, 0, 2]):
        again = risk_coverage(logits[order], np.array(labels)[order])[1]
        assert again.tolist() == risk.tolist()


def test_equal_confidences_have_the_mean_of_all_orders():
    rng = np.random.default_rng(0)
    logits, labels = logits_of([0.9, 0.8, 0.8, 0.8, 0.6]), np.array([0, 1, 0, 1, 0])
    curves = []
    for _ in range(20000):
        order = np.concatenate([[0], 1 + rng.permutation(3), [4]])
        curves.append(np.cumsum(labels[order]) / np.arange(1, 6))
    expected = np.mean(curves, axis=0)
    assert risk_coverage(logits, labels)[1] == pytest.approx(expected, abs=0.01)


def test_the_last_risk_is_the_error_rate():
    logits, labels = plain.drawn(n=97)
    risk = risk_coverage(logits, labels)[1]
    assert risk[-1] == pytest.approx(1 - plain.accuracy(logits, labels))


def test_one_sample():
    coverage, risk = risk_coverage([[1.0, 0.0]], [1])
    assert (coverage.tolist(), risk.tolist()) == ([1.0], [1.0])
