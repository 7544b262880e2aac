"""Scores of images out of the distribution, by hand and by plain formulas."""

import numpy as np
import pytest

from keras_mixvit.metrics import _predictions, ood_scores
from tests.metrics import plain

INFINITE = float("inf")
NAMES = ["max_probability", "entropy", "energy", "mutual_information", "disagreement"]


def entropy(shares):
    return -sum(p * np.log(p) for p in shares if p > 0)


def test_of_one_network_by_hand():
    found = ood_scores(np.log([[0.5, 0.25, 0.25], [2.0, 2.0, 4.0]]))
    assert list(found) == NAMES[:3]
    assert found["max_probability"] == pytest.approx(np.array([0.5, 0.5]))
    expected = entropy([0.5, 0.25, 0.25])
    assert found["entropy"] == pytest.approx(np.array([expected, expected]))
    assert found["energy"] == pytest.approx(-np.log([1, 8]))


@pytest.mark.parametrize("members", [2, 3])
def test_of_subnetworks_by_plain_formulas(members):
    logits, _ = plain.drawn(n=20, members=members)
    found = ood_scores(logits)
    assert list(found) == NAMES
    for i, rows in enumerate(logits):
        mean = rows.mean(axis=0)
        shares = plain.probabilities(mean)
        each = [plain.probabilities(row) for row in rows]
        classes = [plain.order(row)[0] for row in rows]
        pairs = [a != b for k, a in enumerate(classes) for b in classes[:k]]
        expected = [
            1 - max(shares),
            entropy(shares),
            -np.log(np.exp(mean).sum()),
            entropy(np.mean(each, axis=0)) - np.mean([entropy(p) for p in each]),
            np.mean(pairs),
        ]
        assert [found[name][i] for name in NAMES] == pytest.approx(expected)


def test_one_subnetwork_has_no_disagreement():
    logits, _ = plain.drawn(n=5, members=1)
    found = ood_scores(logits)
    assert list(found) == NAMES[:3]
    np.testing.assert_array_equal(found["energy"], ood_scores(logits[:, 0])["energy"])


def test_alike_subnetworks_have_no_information():
    logits = np.repeat(plain.drawn(n=9)[0][:, None], 3, axis=1)
    found = ood_scores(logits)
    assert found["mutual_information"] == pytest.approx(np.zeros(9), abs=1e-12)
    assert found["disagreement"].tolist() == [0] * 9


def test_probabilities_of_zero():
    found = ood_scores([[[0.0, -INFINITE], [0.0, 0.0]]])
    # The mean of the logits has one class, that of the probabilities two.
    assert found["max_probability"].tolist() == [0]
    assert (found["entropy"].tolist(), found["energy"].tolist()) == ([0], [0])
    expected = entropy([0.75, 0.25]) - entropy([0.5, 0.5]) / 2
    assert found["mutual_information"] == pytest.approx(np.array([expected]))


def test_subnetworks_that_share_no_class_have_no_mean_of_logits():
    logits = [[[0.0, -INFINITE], [-INFINITE, 0.0]]]
    with pytest.raises(ValueError, match="`logits` must not be NaN or infinite"):
        ood_scores(logits)


def test_chunks_do_not_show(monkeypatch):
    logits, _ = plain.drawn(n=9, members=2)
    whole = ood_scores(logits)
    monkeypatch.setattr(_predictions, "NUMBERS", 12)
    for name, values in ood_scores(logits).items():
        assert values == pytest.approx(whole[name], rel=1e-12)


def test_huge_logits():
    found = ood_scores(1e300 * np.array([[[1.0, -1.0], [-1.0, 1.0]], [[1.0, -1]] * 2]))
    assert found["mutual_information"] == pytest.approx(np.array([np.log(2), 0]))
    assert found["max_probability"].tolist() == [0.5, 0]
    assert found["entropy"] == pytest.approx(np.array([np.log(2), 0]))


@pytest.mark.parametrize(
    ("logits", "message"),
    [
        ([1.0, 2.0], r"`logits` must have shape \(n, K\) or \(n, M, K\)"),
        (np.zeros((0, 3)), "and not be empty. Received"),
        ([[float("nan"), 1.0]], "`logits` must not be NaN or infinite"),
        ([[[0.0, 1.0], [INFINITE, 0.0]]], "`logits` must not be NaN or infinite"),
        ([["a", "b"]], "`logits` must be real numbers"),
    ],
)
def test_what_does_not_fit_is_refused(logits, message):
    with pytest.raises(ValueError, match=message):
        ood_scores(logits)
