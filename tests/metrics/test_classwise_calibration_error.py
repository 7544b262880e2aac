"""Calibration of the probabilities of all classes."""

import numpy as np
import pytest

from keras_mixvit.metrics import classwise_calibration_error
from keras_mixvit.metrics._classwise_calibration_error import ClasswiseGaps
from tests.metrics import plain


def plain_error(logits, labels, bins):
    shares = np.array([plain.probabilities(row) for row in logits])
    total = 0.0
    for k in range(shares.shape[1]):
        for b in range(bins):
            inside = (shares[:, k] > b / bins) & (shares[:, k] <= (b + 1) / bins)
            if b == 0:
                inside |= shares[:, k] == 0
            total += abs((shares[inside, k] - (labels[inside] == k)).sum())
    return total / shares.size


@pytest.mark.parametrize("bins", [1, 2, 15, 100])
@pytest.mark.parametrize("scale", [0.1, 3, 60])
def test_by_plain_loops(bins, scale):
    logits, labels = plain.drawn(scale=scale)
    found = classwise_calibration_error(logits, labels, bins)
    assert found == pytest.approx(plain_error(logits, labels, bins), abs=1e-12)


def test_by_hand():
    logits = np.log([[0.75, 0.25]] * 4)
    assert classwise_calibration_error(logits, [0, 0, 0, 1]) == pytest.approx(0)
    # Each class is 0.25 off.
    assert classwise_calibration_error(logits, [0, 0, 0, 0]) == pytest.approx(0.25)
    # In one bin all classes are half and half.
    logits = np.log([[0.75, 0.25], [0.25, 0.75]])
    assert classwise_calibration_error(logits, [1, 0], bins=1) == pytest.approx(0)
    assert classwise_calibration_error(logits, [1, 0], bins=2) == pytest.approx(0.75)


def test_one_class():
    assert classwise_calibration_error([[1.0], [3.0]], [0, 0]) == 0


@pytest.mark.parametrize("bins", [1, 15])
def test_numbers_of_samples(bins):
    logits, labels = plain.drawn(n=700, classes=6)
    counts = np.random.default_rng(0).multinomial(700, np.full(700, 1 / 700), size=3)
    found = ClasswiseGaps(logits, labels, bins, is_kept=True).errors(
        counts.astype("uint8")
    )
    expected = [
        classwise_calibration_error(logits.repeat(row, 0), labels.repeat(row), bins)
        for row in counts
    ]
    assert found == pytest.approx(np.array(expected), abs=1e-6)


@pytest.mark.parametrize("bins", [0, 1.5, "a", None])
def test_bins_out_of_range_are_refused(bins):
    with pytest.raises(ValueError, match="`bins` must be an integer of at least 1"):
        classwise_calibration_error([[0.0, 1.0]], [0], bins)
