import math

import numpy as np
import pytest

from keras_mixvit.analysis import diversity_accuracy, subnetwork_scores
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")


def test_scores_are_those_of_the_mean_of_the_members_and_of_their_pairs():
    rng = np.random.default_rng(0)
    labels = rng.integers(3, size=60)
    logits = np.eye(3)[labels][:, None] + rng.normal(size=(60, 3, 3))
    scores = subnetwork_scores(logits, labels)
    wrong = [
        [logits[i, m].argmax() != labels[i] for m in range(3)]
        for i in range(len(labels))
    ]
    ensemble = [logits[i].sum(0).argmax() == labels[i] for i in range(len(labels))]
    assert scores["accuracy"] == pytest.approx(sum(ensemble) / 60)
    assert scores["subnetwork_accuracy"] == pytest.approx(1 - np.mean(wrong))
    ratios = [
        sum(w[a] != w[b] for w in wrong) / sum(w[a] and w[b] for w in wrong)
        for a, b in [(0, 1), (0, 2), (1, 2)]
    ]
    assert scores["ratio_error"] == pytest.approx(sum(ratios) / 3)


def test_one_subnetwork_has_no_diversity():
    with pytest.raises(ValueError, match="`logits` must have at least two subnetworks"):
        subnetwork_scores(np.zeros((4, 1, 3)), np.zeros(4, int))


def point(accuracy, subnetwork_accuracy, ratio_error):
    return {
        "accuracy": accuracy,
        "subnetwork_accuracy": subnetwork_accuracy,
        "ratio_error": ratio_error,
    }


def test_curves_stand_in_the_order_of_the_values(tmp_path):
    sweeps = {
        "Cut-MixMo": {math.inf: point(0.8, 0.7, 0.5), 1: point(0.6, 0.5, 1.5)},
        "other": {3: point(0.9, 0.75, 0.25)},
    }
    figure, numbers = diversity_accuracy(sweeps, "r")
    assert numbers["Cut-MixMo"] == {
        "values": [1, math.inf],
        "accuracy": [0.6, 0.8],
        "subnetwork_accuracy": [0.5, 0.7],
        "ratio_error": [1.5, 0.5],
    }
    left, right = figure.axes
    ensemble, members, *_ = left.get_lines()
    assert ensemble.get_label() == "Cut-MixMo, ensemble"
    np.testing.assert_allclose(ensemble.get_ydata(), [60, 80])
    np.testing.assert_allclose(members.get_ydata(), [50, 70])
    first, second = right.get_lines()
    # The values are 1, 3 and infinity.
    np.testing.assert_array_equal(first.get_xdata(), [0, 2])
    np.testing.assert_array_equal(second.get_xdata(), [1])
    np.testing.assert_allclose(first.get_ydata(), [1.5, 0.5])
    ticks = [text.get_text() for text in right.get_xticklabels()]
    assert ticks == ["1", "3", "∞"]
    assert labels_of(figure) == {
        ("r", "accuracy (%)"),
        ("r", "diversity (ratio-error)"),
    }
    assert_saves(figure, tmp_path)


def test_incomplete_sweeps_are_refused():
    text = "`sweeps` must have at least one curve, and each curve at least one value."
    for sweeps in ({}, {"empty": {}}):
        with pytest.raises(ValueError, match=text):
            diversity_accuracy(sweeps, "p")
    text = r"`sweeps` must have accuracy, .* curve='mine', missing=\{2: \['ratio_error'"
    whole, part = point(0.5, 0.5, 1.0), {"accuracy": 0.5, "subnetwork_accuracy": 0.5}
    with pytest.raises(ValueError, match=text):
        diversity_accuracy({"mine": {1: whole, 2: part}}, "p")
