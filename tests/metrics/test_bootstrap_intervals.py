"""Intervals of the bootstrap: by a plain loop, and by how often they are right."""

import numpy as np
import pytest

from keras_mixvit.metrics import bootstrap_intervals
from keras_mixvit.metrics._resamples import Resamples
from tests.metrics import plain
from tests.metrics.test_weighted_scores import scores_of

pytestmark = pytest.mark.one_backend


def test_by_a_plain_loop():
    logits, labels = plain.drawn(n=80)
    found = bootstrap_intervals(logits, labels, 40, level=0.8, bins=5, seed=3)
    rows = [
        scores_of(logits.repeat(row, 0), labels.repeat(row), 5)
        for row in Resamples(80, 40, 3).counts
    ]
    assert list(found) == list(rows[0])
    for name, interval in found.items():
        values = [row[name] for row in rows]
        expected = np.quantile(values, [0.1, 0.9], method="nearest")
        assert interval == pytest.approx(tuple(expected), abs=1e-9), name


def test_intervals_hold_the_truth_as_often_as_they_promise():
    # The accuracy of all samples, by intervals of few of them.
    logits, labels = plain.drawn(n=40000)
    truth = np.mean(logits.argmax(axis=1) == labels)
    held = 0
    for i in range(200):
        part = slice(200 * i, 200 * i + 200)
        low, high = bootstrap_intervals(
            logits[part], labels[part], replicates=200, level=0.9, seed=i
        )["accuracy"]
        held += low <= truth <= high
    # The standard deviation of 180 of 200 is 4.2.
    assert 165 <= held <= 195


def test_it_is_the_standard_error_for_many_images():
    logits, labels = plain.drawn(n=3000)
    low, high = bootstrap_intervals(logits, labels, seed=1)["accuracy"]
    share = plain.accuracy(logits, labels)
    error = np.sqrt(share * (1 - share) / 3000)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.1)


def test_the_mean_of_subnetworks_is_judged_and_the_seed_decides():
    logits, labels = plain.drawn(members=2)
    first = bootstrap_intervals(logits, labels, 20, seed=1)
    again = bootstrap_intervals(logits.mean(axis=1), labels, 20, seed=1)
    for name, interval in first.items():
        assert interval == pytest.approx(again[name], abs=1e-9)
    assert first != bootstrap_intervals(logits, labels, 20, seed=2)


def test_what_is_not_defined_has_no_interval():
    found = bootstrap_intervals(np.eye(3), [0, 1, 2], 10)
    assert np.isnan(found["auroc"]).all()
    assert found["accuracy"] == (1, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"replicates": 0}, "`replicates` must be an integer of at least 1"),
        ({"level": 0}, r"`level` must be in \(0, 1\). Received: level=0"),
        ({"bins": 0}, "`bins` must be an integer of at least 1"),
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"seed": None}, "`seed` must be an integer of at least 0"),
        ({"labels": [0, 3]}, "`labels` must be in 0 to 2"),
        ({"logits": [[np.nan] * 3] * 2}, "`logits` must not be NaN"),
    ],
)
def test_what_does_not_fit_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        bootstrap_intervals(**{"logits": np.eye(3)[:2], "labels": [0, 1], **options})
