"""Risk at a coverage, and coverage at a risk."""

import numpy as np
import pytest

from keras_mixvit.metrics import coverage_at_risk, risk_at_coverage
from tests.metrics.test_risk_coverage import logits_of

# In order of confidence: right, wrong, right, right, wrong.
CASE = logits_of([0.9, 0.85, 0.8, 0.75, 0.7]), [0, 1, 0, 0, 1]
INFINITE = float("inf")


@pytest.mark.parametrize(
    ("coverage", "risk"),
    [(0.01, 0), (0.2, 0), (0.21, 1 / 2), (0.6, 1 / 3), (0.8, 1 / 4), (1, 2 / 5)],
)
def test_risk_at_a_coverage(coverage, risk):
    assert risk_at_coverage(*CASE, coverage) == pytest.approx(risk)


@pytest.mark.parametrize(
    ("risk", "coverage"),
    [(0, 0.2), (0.24, 0.2), (0.25, 0.8), (0.35, 0.8), (0.4, 1), (0.9, 1)],
)
def test_coverage_at_a_risk(risk, coverage):
    assert coverage_at_risk(*CASE, risk) == coverage


def test_shares_are_not_rounded_to_another_number_of_samples():
    # 0.05 of 20 k samples is a whole number: k errors are allowed.
    for count in range(20, 2020, 20):
        logits = logits_of(np.linspace(0.9, 0.6, count))
        labels = np.zeros(count, int)
        labels[-count // 20 :] = 1
        assert coverage_at_risk(logits, labels) == 1
        kept = round(0.8 * count)
        labels = np.zeros(count, int)
        labels[kept:] = 1
        assert risk_at_coverage(logits, labels) == 0
        labels[kept - 1] = 1
        assert risk_at_coverage(logits, labels) == pytest.approx(1 / kept)


def test_no_coverage_has_so_little_risk():
    assert coverage_at_risk(logits_of([0.9, 0.8]), [1, 0]) == 0


@pytest.mark.parametrize("bad", [0, -0.1, 1.1, float("nan"), "a", None, True])
def test_a_coverage_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=r"`coverage` must be in \(0, 1\]. Received"):
        risk_at_coverage(*CASE, bad)


@pytest.mark.parametrize("bad", [1, -0.1, INFINITE, float("nan"), "a", None, True])
def test_a_risk_out_of_range_is_refused(bad):
    with pytest.raises(ValueError, match=r"`risk` must be in \[0, 1\). Received"):
        coverage_at_risk(*CASE, bad)
