"""Functions of whole sets of predictions, against plain loops."""

import numpy as np
import pytest

from keras_mixvit.metrics import _predictions as predictions
from keras_mixvit.metrics import (
    accuracy,
    aurc,
    auroc,
    brier,
    calibration_error,
    classwise_calibration_error,
    coverage_at_risk,
    disagreement,
    excess_aurc,
    nll,
    pairwise_kl,
    ratio_error,
    risk_at_coverage,
)
from tests.metrics import plain

SINGLE = (
    *(accuracy, auroc, brier, calibration_error, nll),
    *(aurc, excess_aurc, risk_at_coverage, coverage_at_risk),
    classwise_calibration_error,
)
INFINITE = float("inf")


def close(value):
    return pytest.approx(value, rel=1e-9, abs=1e-12)


@pytest.fixture(params=["random", "sure", "flat", "rounded"])
def case(request):
    """Logits of several kinds: sure of themselves, unsure, full of ties."""
    scale = {"random": 3, "sure": 60, "flat": 1e-3, "rounded": 2}[request.param]
    logits, labels = plain.drawn(scale=scale)
    return (np.round(logits) if request.param == "rounded" else logits), labels


@pytest.mark.parametrize("k", [1, 2, 5, 9])
def test_accuracy(case, k):
    assert accuracy(*case, k) == close(plain.accuracy(*case, k))


def test_nll_and_brier_score(case):
    assert nll(*case) == close(plain.nll(*case))
    assert brier(*case) == close(plain.brier(*case))
    assert brier(*case, per_class=True) == close(plain.brier(*case) / 5)


@pytest.mark.parametrize("bins", [1, 2, 15, 100])
def test_calibration_error(case, bins):
    expected = plain.calibration_error(*case, bins)
    assert calibration_error(*case, bins) == close(expected)


@pytest.mark.parametrize("bins", [1, 4, 15, 60])
def test_adaptive_calibration_error(bins):
    case = plain.drawn()
    expected = plain.adaptive_calibration_error(*case, bins)
    assert calibration_error(*case, bins, adaptive=True) == close(expected)


def test_bins_are_closed_above():
    logits = np.log([[0.75, 0.25], [0.5, 0.5]])
    # Both 0.5 and 0.75 are borders of four bins; their errors have other signs.
    assert calibration_error(logits, [0, 1], bins=4) == close((0.25 + 0.5) / 2)
    assert calibration_error(logits, [0, 1], bins=1) == close(0.25 / 2)


def test_adaptive_bins_do_not_depend_on_the_order_of_equal_confidences():
    logits = np.log([[0.75, 0.25]] * 4)
    found = [
        calibration_error(logits, labels, bins=2, adaptive=True)
        for labels in ([0, 0, 1, 1], [0, 1, 0, 1], [1, 1, 0, 0])
    ]
    assert found == [close(0.25)] * 3


def test_more_adaptive_bins_than_samples():
    logits = np.log([[0.75, 0.25], [0.5, 0.5]])
    found = calibration_error(logits, [0, 1], bins=15, adaptive=True)
    assert found == close((0.25 + 0.5) / 2)


def test_auroc(case):
    assert auroc(*case) == close(plain.auroc(*case))


def test_auroc_without_errors_or_without_successes_is_not_defined():
    logits = np.eye(3)
    assert np.isnan(auroc(logits, [0, 1, 2]))
    assert np.isnan(auroc(logits, [1, 2, 0]))


@pytest.mark.parametrize("members", [2, 3])
@pytest.mark.parametrize("scale", [0.1, 3, 40])
def test_diversity(members, scale):
    logits, labels = plain.drawn(members=members, scale=scale)
    assert ratio_error(logits, labels) == close(plain.ratio_error(logits, labels))
    assert disagreement(logits) == close(plain.disagreement(logits))
    assert pairwise_kl(logits) == close(plain.pairwise_kl(logits))


def one_hot(classes):
    return 5 * np.eye(3)[np.array(classes)]


def test_ratio_error_without_common_errors_is_infinite():
    assert ratio_error(one_hot([[0, 1], [1, 0]]), [0, 0]) == INFINITE


def test_ratio_error_without_errors_is_not_defined():
    assert np.isnan(ratio_error(one_hot([[0, 0], [1, 1]]), [0, 1]))


def test_ratio_error_leaves_out_pairs_without_errors():
    # Members 0 and 1 are always right; 2 is not, in no common sample.
    assert ratio_error(one_hot([[0, 0, 1], [1, 1, 1]]), [0, 1]) == INFINITE


def test_alike_subnetworks_are_not_diverse():
    logits = np.repeat(plain.drawn()[0][:, None], 2, axis=1)
    assert ratio_error(logits, plain.drawn()[1]) == 0
    assert disagreement(logits) == 0
    assert pairwise_kl(logits) == 0


def test_divergence_does_not_depend_on_the_order_of_subnetworks():
    logits, _ = plain.drawn(members=3)
    assert pairwise_kl(logits[:, ::-1]) == close(pairwise_kl(logits))


def test_probabilities_of_zero():
    logits = np.log(np.array([[0.5, 0.5, 1e-300], [0.25, 0.25, 0.5]]))
    logits[0, 2] = -INFINITE
    assert nll(logits, [0, 2]) == close(np.log(2))
    assert brier(logits, [0, 2]) == close((0.5 + 0.375) / 2)
    assert nll(logits, [2, 2]) == INFINITE
    assert brier(logits, [2, 2]) == close((1.5 + 0.375) / 2)
    assert accuracy(logits, [2, 2]) == 0.5
    assert accuracy(logits, [2, 2], k=2) == 0.5


def test_divergence_where_probabilities_are_zero():
    first, second = [0.0, 0.0, -INFINITE], [0.0, np.log(3), -INFINITE]
    expected = (0.5 * np.log(4 / 3) + 0.25 * np.log(0.5) + 0.75 * np.log(1.5)) / 2
    assert pairwise_kl([[first, second]]) == close(expected)
    assert pairwise_kl([[first, [0.0, 0.0, 0.0]]]) == INFINITE


@pytest.mark.parametrize("scale", [1e30, 1e300])
def test_huge_logits_are_exact(scale):
    logits = scale * np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert nll(logits, [0, 1]) == 0
    assert nll(logits, [1, 1]) == close(scale)
    assert brier(logits, [1, 1]) == 1
    assert calibration_error(logits, [1, 1]) == 0.5


def test_close_logits_beside_huge_ones_are_told_apart():
    assert accuracy([[1e30, 1.0, 2.0]], [1], k=2) == 0
    assert accuracy([[1e30, 1.0, 2.0]], [2], k=2) == 1


def test_one_class():
    logits, labels = np.array([[3.0], [-2.0]]), [0, 0]
    assert (accuracy(logits, labels), nll(logits, labels)) == (1, 0)
    assert (brier(logits, labels), calibration_error(logits, labels)) == (0, 0)


def test_a_class_without_a_sample():
    logits, labels = plain.drawn(classes=3)
    wider = np.concatenate([logits, np.full((len(logits), 1), -50.0)], axis=1)
    assert nll(wider, labels) == pytest.approx(nll(logits, labels), rel=1e-9)
    assert accuracy(wider, labels) == accuracy(logits, labels)


@pytest.mark.parametrize("function", SINGLE)
def test_subnetworks_are_judged_by_the_mean_of_their_logits(function):
    logits, labels = plain.drawn(members=3)
    assert function(logits, labels) == close(function(logits.mean(axis=1), labels))
    # float32 is what models give.
    found = function(logits.astype("float32"), labels)
    assert found == pytest.approx(function(logits, labels), abs=1e-6)


@pytest.mark.parametrize("numbers", [1, 12])
def test_chunks_do_not_show(monkeypatch, numbers):
    logits, labels = plain.drawn(members=2)
    whole = [f(logits, labels) for f in (*SINGLE, ratio_error)]
    whole += [disagreement(logits), pairwise_kl(logits)]
    monkeypatch.setattr(predictions, "NUMBERS", numbers)
    parts = [f(logits, labels) for f in (*SINGLE, ratio_error)]
    parts += [disagreement(logits), pairwise_kl(logits)]
    assert parts == [close(value) for value in whole]


def test_arrays_are_left_as_they_are():
    logits, labels = plain.drawn(members=2)
    before = logits.copy()
    for function in (*SINGLE, ratio_error):
        function(logits, labels)
    disagreement(logits)
    pairwise_kl(logits)
    np.testing.assert_array_equal(logits, before)


@pytest.mark.parametrize("bad", [np.nan, INFINITE])
@pytest.mark.parametrize("function", [*SINGLE, ratio_error])
def test_predictions_that_are_no_numbers_are_refused(function, bad):
    logits, labels = plain.drawn(members=2)
    logits[7, 1, 2] = bad
    with pytest.raises(ValueError, match=r"`logits` must not be NaN or infinite"):
        function(logits, labels)


@pytest.mark.parametrize("function", [disagreement, pairwise_kl])
def test_diversity_refuses_predictions_that_are_no_numbers(function):
    logits, _ = plain.drawn(members=2)
    logits[7, 1] = -INFINITE
    with pytest.raises(ValueError, match=r"minus infinity is probability 0, which at"):
        function(logits)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 1, 5], r"`labels` must be in 0 to 4. Received: range=\(0, 5\)"),
        ([0, 1, -1], r"`labels` must be in 0 to 4. Received: range=\(-1, 1\)"),
        ([0, 1], r"`labels` must be one integer for each prediction. Received: "),
        ([0.0, 1.0, 2.0], r"`labels` must be one integer for each prediction."),
    ],
)
@pytest.mark.parametrize("function", [*SINGLE, ratio_error])
def test_labels_that_do_not_fit_are_refused(function, labels, message):
    with pytest.raises(ValueError, match=message):
        function(np.zeros((3, 2, 5)), labels)


@pytest.mark.parametrize(
    ("function", "logits", "message"),
    [
        (nll, np.zeros(3), r"`logits` must have shape \(n, K\) or \(n, M, K\) and"),
        (nll, np.zeros((0, 3)), r"and not be empty. Received: shape=\(0, 3\)"),
        (nll, np.array([["a"]]), "`logits` must be real numbers. Received: dtype='<U1"),
        (ratio_error, np.zeros((1, 3)), r"`logits` must have shape \(n, M, K\) and"),
        (ratio_error, np.zeros((1, 1, 3)), "`logits` must have at least two subnet"),
    ],
)
def test_predictions_of_other_shapes_are_refused(function, logits, message):
    with pytest.raises(ValueError, match=message):
        function(logits, [0])


@pytest.mark.parametrize("adaptive", [False, True])
def test_options_out_of_range_are_refused(adaptive):
    with pytest.raises(ValueError, match="`bins` must be an integer of at least 1"):
        calibration_error([[1.0, 0.0]], [0], bins=0, adaptive=adaptive)
    with pytest.raises(ValueError, match="`k` must be an integer of at least 1"):
        accuracy([[1.0, 0.0]], [0], k=0)
