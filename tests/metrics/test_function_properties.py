"""Metrics against plain loops, for any predictions, in any order and batches."""

import numpy as np
from hypothesis import strategies as st

from keras_mixvit import metrics
from tests.metrics import plain
from tests.metrics.cases import SEEDS, predictions
from tests.properties import holds


def close(found, expected, tolerance=1e-9):
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def rank(values):
    return [sorted(values).index(value) for value in values]


@holds(few=40, many=2000, drawn=predictions(), k=st.integers(1, 8))
def test_functions_are_the_plain_formulas(drawn, k):
    logits, labels = drawn
    exact = logits.astype("float64")
    close(metrics.accuracy(logits, labels), plain.accuracy(exact, labels))
    close(metrics.accuracy(logits, labels, k), plain.accuracy(exact, labels, k))
    close(metrics.nll(logits, labels), plain.nll(exact, labels))
    close(metrics.brier(logits, labels), plain.brier(exact, labels))
    per_class = metrics.brier(logits, labels, per_class=True)
    close(per_class * logits.shape[1], plain.brier(exact, labels))
    assert 0 <= metrics.brier(logits, labels) <= 2 + 1e-12
    right = [hit for _, hit in plain.confidences(exact, labels)]
    found = metrics.auroc(logits, labels)
    assert np.isnan(found) if len(set(right)) == 1 else 0 <= found <= 1
    for adaptive in (False, True):
        error = metrics.calibration_error(logits, labels, k, adaptive)
        assert -1e-12 <= error <= 1 + 1e-12
    # With one bin it is the distance of the means.
    gap = plain.gap(plain.confidences(exact, labels)) / len(labels)
    close(metrics.calibration_error(logits, labels, 1), gap)
    close(metrics.calibration_error(logits, labels, 1, adaptive=True), gap)


@holds(few=30, many=1500, drawn=predictions(), bins=st.integers(1, 20))
def test_bins_and_ranks_are_the_plain_formulas(drawn, bins):
    logits, labels = drawn
    exact = logits.astype("float64")
    pairs = plain.confidences(exact, labels)
    # A confidence on the edge of a bin may fall on either side by a rounding.
    far = [min(abs(p * bins - round(p * bins)), 1) > 1e-9 or p == 1 for p, _ in pairs]
    if all(far):
        expected = plain.calibration_error(exact, labels, bins)
        close(metrics.calibration_error(logits, labels, bins), expected)
    confidences = [p for p, _ in pairs]
    apart = np.diff(np.sort(confidences))
    # Equal confidences must be equal to the last digit in both.
    if len({hit for _, hit in pairs}) == 2 and (apart > 1e-9).all():
        close(metrics.auroc(logits, labels), plain.auroc(exact, labels))


@holds(few=30, many=1500, drawn=predictions(st.integers(2, 4), most=20))
def test_functions_of_subnetworks_are_the_plain_formulas(drawn):
    logits, labels = drawn
    exact = logits.astype("float64")
    close(metrics.disagreement(logits), plain.disagreement(exact))
    mean = exact.mean(axis=1)
    close(metrics.nll(logits, labels), plain.nll(mean, labels))
    close(metrics.accuracy(exact, labels), plain.accuracy(mean, labels))
    wrong = [
        [plain.order(row)[0] != y for row in rows]
        for rows, y in zip(exact, labels, strict=True)
    ]
    wrong = np.array(wrong)
    ratios = []
    for i in range(logits.shape[1]):
        for j in range(i):
            single = (wrong[:, i] != wrong[:, j]).sum()
            common = (wrong[:, i] & wrong[:, j]).sum()
            if single + common:
                ratios.append(single / common if common else np.inf)
    expected = np.mean(ratios) if ratios else np.nan
    np.testing.assert_allclose(metrics.ratio_error(logits, labels), expected)
    if np.abs(exact).max() < 700:
        close(metrics.pairwise_kl(logits), plain.pairwise_kl(exact), 1e-8)
    assert metrics.pairwise_kl(logits) >= 0


@holds(few=30, many=1500, drawn=predictions(), seed=SEEDS, shift=st.floats(-50, 50))
def test_order_and_a_constant_change_nothing(drawn, seed, shift):
    logits, labels = drawn
    order = np.random.default_rng(seed).permutation(len(labels))
    functions = {
        "accuracy": metrics.accuracy,
        "nll": metrics.nll,
        "brier": metrics.brier,
        "error": metrics.calibration_error,
        "adaptive": lambda x, y: metrics.calibration_error(x, y, adaptive=True),
        "auroc": metrics.auroc,
    }
    for name, function in functions.items():
        value = function(logits, labels)
        np.testing.assert_allclose(
            function(logits[order], labels[order]), value, rtol=1e-9, atol=1e-12
        )
        again = function(np.asfortranarray(logits), labels)
        np.testing.assert_allclose(again, value, rtol=1e-12, err_msg=name)
    if np.abs(logits).max() < 1e3:
        shifted = logits.astype("float64") + shift
        close(metrics.nll(shifted, labels), metrics.nll(logits, labels), 1e-7)
