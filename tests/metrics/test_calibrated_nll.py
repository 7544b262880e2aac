"""NLL calibrated by the other half, by every method."""

import numpy as np
import pytest

from keras_mixvit.metrics import calibrated_nll, fit_vector_scaling, nll
from tests.metrics import plain


def biased(n=2000):
    """Predictions that favour a class too much."""
    logits, labels = plain.drawn(n=n, scale=2)
    return logits + np.array([2, 0, 0, 0, 0]), labels


def test_each_half_is_scaled_as_the_other_wants():
    logits, labels = biased(401)
    order = np.random.default_rng(7).permutation(401)
    halves = np.sort(order[:200]), np.sort(order[200:])
    values = []
    for fit, half in (halves, halves[::-1]):
        factors, offsets = fit_vector_scaling(logits[fit], labels[fit])
        values.append(nll(factors * logits[half] + offsets, labels[half]))
    found = calibrated_nll(logits, labels, seed=7, method="vector")
    assert found == pytest.approx(np.mean(values), abs=1e-5)


def test_offsets_mend_what_a_temperature_cannot():
    logits, labels = biased()
    assert calibrated_nll(logits, labels, method="vector") < 0.9 * calibrated_nll(
        logits, labels
    )


@pytest.mark.parametrize("method", ["temperature", "vector", "subnetworks"])
def test_all_right_and_all_wrong(method):
    logits = np.repeat(5 * np.eye(3)[[0, 1, 2, 0]][:, None], 2, axis=1)
    right = calibrated_nll(logits, [0, 1, 2, 0], method=method)
    assert right <= nll(logits, [0, 1, 2, 0]) + 1e-9
    wrong = calibrated_nll(logits, [1, 2, 0, 1], method=method)
    assert wrong < nll(logits, [1, 2, 0, 1])


@pytest.mark.parametrize(
    ("logits", "options", "message"),
    [
        (
            np.zeros((4, 3)),
            {"method": "matrix"},
            "`method` must be one of",
        ),
        (np.zeros((4, 3)), {"method": "subnetworks"}, r"must have shape \(n, M, K\)"),
        (np.zeros((4, 1, 3)), {"method": "subnetworks"}, "at least two subnetworks"),
        (np.zeros((4, 3)), {"ensemble_of": "x"}, "`ensemble_of` must be one of"),
        (np.zeros((4, 3)), {"seed": -1}, "`seed` must be an integer of at least 0"),
    ],
)
def test_what_does_not_fit_is_refused(logits, options, message):
    with pytest.raises(ValueError, match=message):
        calibrated_nll(logits, [0, 1, 2, 0], **options)
