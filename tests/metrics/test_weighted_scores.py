"""Scores of numbers of each sample, against those of repeated samples."""

import numpy as np
import pytest

from keras_mixvit import metrics
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.metrics._weighted_scores import WeightedScores
from tests.metrics import plain


def scores_of(logits, labels, bins=15):
    return {
        "accuracy": metrics.accuracy(logits, labels),
        "top5": metrics.accuracy(logits, labels, k=5),
        "nll": metrics.nll(logits, labels),
        "brier": metrics.brier(logits, labels),
        "ece": metrics.calibration_error(logits, labels, bins),
        "adaptive_ece": metrics.calibration_error(logits, labels, bins, adaptive=True),
        "auroc": metrics.auroc(logits, labels),
        "aurc": metrics.aurc(logits, labels),
        "excess_aurc": metrics.excess_aurc(logits, labels),
        "risk_at_80": metrics.risk_at_coverage(logits, labels),
        "coverage_at_5": metrics.coverage_at_risk(logits, labels),
    }


def require_scores(logits, labels, counts, bins=15):
    """Requires weighted scores to be those of samples that are repeated."""
    judge = WeightedScores(sample_scores(logits, labels), bins)
    for row, found in zip(counts, judge(np.asarray(counts)), strict=True):
        expected = scores_of(logits.repeat(row, 0), labels.repeat(row), bins)
        found = dict(zip(judge.NAMES, found, strict=True))
        assert found == pytest.approx(expected, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("bins", [1, 15, 100])
@pytest.mark.parametrize("rounded", [False, True])
@pytest.mark.parametrize("scale", [0.1, 2, 6, 60])
def test_they_are_those_of_repeated_samples(scale, rounded, bins):
    logits, labels = plain.drawn(n=200, classes=7, scale=scale)
    logits = np.round(logits) if rounded else logits
    rng = np.random.default_rng(0)
    drawn = rng.multinomial(200, np.full(200, 1 / 200), size=5)
    counts = [np.ones(200, int), *drawn]
    require_scores(logits, labels, np.array(counts, "uint8"), bins)


@pytest.mark.parametrize("kind", ["right", "wrong", "one", "nearly right"])
def test_without_errors_or_successes(kind):
    logits = np.log([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.7, 0.3]])
    labels = {"right": [0] * 4, "wrong": [1] * 4, "nearly right": [0, 0, 1, 0]}
    if kind == "one":
        return require_scores(logits[:1], np.array([1]), [[1]])
    counts = [[1, 1, 1, 1], [4, 0, 0, 0], [0, 2, 2, 0], [0, 0, 0, 4], [0, 0, 3, 1]]
    return require_scores(logits, np.array(labels[kind]), counts)


def test_infinite_nll_counts_where_it_is_drawn():
    logits = np.array([[0.0, -np.inf], [1.0, 0.0]])
    judge = WeightedScores(sample_scores(logits, [1, 0]))
    place = judge.NAMES.index("nll")
    found = judge(np.array([[1, 1], [0, 2]]))[:, place]
    assert found == pytest.approx([np.inf, np.log(1 + np.exp(-1))])
