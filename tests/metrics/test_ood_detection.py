"""Detection by a score, by hand and by plain loops."""

import itertools

import numpy as np
import pytest

from keras_mixvit.metrics import ood_detection

KNOWN, UNKNOWN = [0.1, 0.2, 0.2, 0.5], [0.2, 0.6]


def precision(positive, negative):
    """Average precision where the highest scores are positive."""
    total, reached = 0.0, 0.0
    for threshold in sorted({*positive, *negative}, reverse=True):
        found = sum(x >= threshold for x in positive)
        wrong = sum(x >= threshold for x in negative)
        recall = found / len(positive)
        total += (recall - reached) * found / (found + wrong)
        reached = recall
    return total


def plain_detection(known, unknown, tpr=0.95, positive="in"):
    wins = [(a < b) + (a == b) / 2 for a, b in itertools.product(known, unknown)]
    rates = []
    for threshold in {*known, *unknown}:
        if positive == "in":
            true = np.mean([x <= threshold for x in known])
            false = np.mean([x <= threshold for x in unknown])
        else:
            true = np.mean([x >= threshold for x in unknown])
            false = np.mean([x >= threshold for x in known])
        if true >= tpr:
            rates.append(false)
    low = [-x for x in known], [-x for x in unknown]
    return {
        "auroc": np.mean(wins),
        "aupr_in": precision(*low),
        "aupr_out": precision(unknown, known),
        "fpr95": min(rates),
    }


def test_by_hand():
    found = ood_detection(KNOWN, UNKNOWN)
    assert found["auroc"] == pytest.approx((1 + 0.5 + 0.5 + 0 + 4) / 8)
    # Accepted up to 0.1, 0.2, 0.5: recalls 1/4, 3/4, 1 of precisions 1, 3/4, 4/5.
    assert found["aupr_in"] == pytest.approx(1 / 4 + 3 / 4 / 2 + 4 / 5 / 4)
    # Detected from 0.6, 0.5, 0.2: recalls 1/2, 1/2, 1 of precisions 1, 1/2, 2/5.
    assert found["aupr_out"] == pytest.approx(1 / 2 + 2 / 5 / 2)
    assert found["fpr95"] == 0.5
    assert ood_detection(KNOWN, UNKNOWN, tpr=0.75)["fpr95"] == 0.5
    assert ood_detection(KNOWN, UNKNOWN, tpr=0.25)["fpr95"] == 0
    # All unknown images are found from 0.2 on, where three known ones are too.
    assert ood_detection(KNOWN, UNKNOWN, positive="out")["fpr95"] == 0.75


@pytest.mark.parametrize("positive", ["in", "out"])
@pytest.mark.parametrize("tpr", [0.01, 0.5, 0.95, 1.0])
@pytest.mark.parametrize("levels", [2, 7, 10**9])
def test_by_plain_loops(positive, tpr, levels):
    rng = np.random.default_rng(levels)
    known = rng.integers(levels, size=40) / 8
    unknown = rng.integers(levels, size=31) / 8 + levels / 40
    expected = plain_detection(known, unknown, tpr, positive)
    assert ood_detection(known, unknown, tpr, positive) == pytest.approx(expected)


def test_a_perfect_score_and_one_that_is_always_equal():
    perfect = ood_detection([1, 2, 3], [4, 5])
    assert perfect == {"auroc": 1, "aupr_in": 1, "aupr_out": 1, "fpr95": 0}
    equal = ood_detection([1, 1, 1], [1, 1])
    assert equal == pytest.approx(
        {"auroc": 0.5, "aupr_in": 0.6, "aupr_out": 0.4, "fpr95": 1}
    )
    assert ood_detection([5, 5], [1, 1])["auroc"] == 0


def test_infinite_scores_are_the_highest():
    assert ood_detection([0.0, 1.0], [np.inf, np.inf])["auroc"] == 1


def test_95_percent_of_a_number_of_images_is_not_rounded_up():
    for count in range(20, 1020, 20):
        known = np.arange(count)
        # 95 % of the known images have a lower score than this one.
        border = count * 19 // 20 - 0.5
        assert ood_detection(known, [border, border - 1])["fpr95"] == 0.5


@pytest.mark.parametrize(
    ("known", "unknown", "message"),
    [
        ([], [1.0], r"`known` must be real numbers of shape \(n,\) and not be empty"),
        ([1.0], [], r"`unknown` must be real numbers of shape \(n,\) and not be empty"),
        ([[1.0]], [1.0], r"Received: dtype='float64', shape=\(1, 1\)"),
        (["a"], [1.0], "`known` must be real numbers"),
        ([1.0], [float("nan")], "`unknown` must not be NaN. Received: shape="),
    ],
)
def test_scores_that_do_not_fit_are_refused(known, unknown, message):
    with pytest.raises(ValueError, match=message):
        ood_detection(known, unknown)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tpr": 0}, r"`tpr` must be in \(0, 1\]. Received: tpr=0"),
        ({"tpr": "a"}, r"`tpr` must be in \(0, 1\]"),
        ({"positive": "ood"}, "`positive` must be one of 'in', 'out'. Received"),
    ],
)
def test_options_out_of_range_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        ood_detection(KNOWN, UNKNOWN, **options)
