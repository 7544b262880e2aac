"""Conformal sets: by hand, by plain loops, and by what they guarantee."""

import json

import numpy as np
import pytest

from keras_mixvit.metrics import ConformalSets, _predictions
from tests.metrics import plain

pytestmark = pytest.mark.one_backend

METHODS = ("lac", "aps", "raps")
INFINITE = float("inf")
OPTIONS = {"penalty": 0.03, "free_rank": 2}


def plain_scores(row, method, u):
    """The score of each class, in plain loops."""
    shares, order = plain.probabilities(row), plain.order(row)
    found = {}
    for rank, k in enumerate(order, 1):
        before = sum(shares[j] for j in order[: rank - 1])
        found[k] = {
            "lac": 1 - shares[k],
            "aps": before + u * shares[k],
            "raps": before + u * shares[k] + 0.03 * max(rank - 2, 0),
        }[method]
    return [found[k] for k in range(len(row))]


def test_lac_by_hand():
    # Scores of the true classes 0.1, 0.2, 0.3, 0.4: the 4th of 5 is 0.4.
    shares = np.array([[0.9, 0.1], [0.8, 0.2], [0.7, 0.3], [0.4, 0.6]])
    fitted = ConformalSets.fit(np.log(shares), [0, 0, 0, 1], coverage=0.8)
    assert fitted.threshold == pytest.approx(0.4)
    assert (fitted.num_classes, fitted.samples, fitted.method) == (2, 4, "lac")
    sets = fitted.predict(np.log([[0.7, 0.3], [0.5, 0.5], [0.39, 0.61]]))
    # Where no class is likely enough, the set is empty.
    assert sets.tolist() == [[True, False], [False, False], [False, True]]


def test_aps_and_raps_by_hand():
    logits = np.log([[0.5, 0.3, 0.2]])
    rule = {"coverage": 0.5, "num_classes": 3, "samples": 9, "randomised": False}
    for threshold, size in [(0.49, 0), (0.51, 1), (0.79, 1), (0.81, 2), (1.01, 3)]:
        sets = ConformalSets(method="aps", threshold=threshold, **rule).predict(logits)
        assert sets.sum() == size
        assert sets[0, :size].all()
    options = {"penalty": 0.1, "free_rank": 1, **rule}
    for threshold, size in [(0.51, 1), (0.89, 1), (0.91, 2), (1.19, 2), (1.21, 3)]:
        made = ConformalSets(method="raps", threshold=threshold, **options)
        assert made.predict(logits).sum() == size


@pytest.mark.parametrize("randomised", [True, False])
@pytest.mark.parametrize("method", METHODS)
def test_by_plain_loops(method, randomised):
    logits, labels = plain.drawn(n=40)
    logits[::4] = np.round(logits[::4])
    options = {"method": method, "randomised": randomised, "seed": 3, **OPTIONS}
    fitted = ConformalSets.fit(logits[:20], labels[:20], coverage=0.8, **options)
    draws = np.ones((2, 20))
    if randomised and method != "lac":
        draws = [np.random.default_rng([3, stream]).random(20) for stream in (0, 1)]
    scores = [
        plain_scores(row, method, u)[label]
        for row, label, u in zip(logits[:20], labels[:20], draws[0], strict=True)
    ]
    # The least k with k / 21 of at least 0.8 is 17.
    assert fitted.threshold == pytest.approx(sorted(scores)[16])
    expected = [
        [score <= fitted.threshold + 1e-12 for score in plain_scores(row, method, u)]
        for row, u in zip(logits[20:], draws[1], strict=True)
    ]
    sets = fitted.predict(logits[20:])
    assert sets.tolist() == expected
    sizes, hits = fitted.sizes_and_hits(logits[20:], labels[20:])
    assert sizes.tolist() == np.sum(expected, axis=1).tolist()
    assert hits.tolist() == sets[np.arange(20), labels[20:]].tolist()


@pytest.mark.parametrize("randomised", [True, False])
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("coverage", [0.5, 0.9])
def test_sets_hold_the_true_class_as_often_as_they_promise(
    method, coverage, randomised
):
    found = []
    for seed in range(100):
        logits, labels = plain.drawn(seed, n=299, classes=10, scale=2)
        options = {"randomised": randomised, "seed": seed, **OPTIONS}
        fitted = ConformalSets.fit(
            logits[:99], labels[:99], method, coverage, **options
        )
        found.append(fitted.sizes_and_hits(logits[99:], labels[99:])[1].mean())
    # The spread of one is about 0.055; without ties the mean is coverage exactly.
    assert np.mean(found) == pytest.approx(coverage, abs=0.02)


def test_deterministic_sets_are_larger():
    logits, labels = plain.drawn(n=4000, classes=10, scale=2)
    sizes = [
        ConformalSets.fit(logits[:2000], labels[:2000], "aps", randomised=randomised)
        .sizes_and_hits(logits[2000:], labels[2000:])[0]
        .mean()
        for randomised in (True, False)
    ]
    assert sizes[0] < sizes[1]


def test_few_samples_promise_little():
    logits, labels = plain.drawn(n=8)
    fitted = ConformalSets.fit(logits, labels, coverage=0.9)
    assert fitted.threshold == INFINITE
    assert fitted.predict(logits).all()
    again = ConformalSets.from_dict(json.loads(json.dumps(fitted.to_dict())))
    assert again == fitted
    assert ConformalSets.fit(logits, labels, coverage=8 / 9).threshold < INFINITE


def test_draws_come_from_the_seed():
    logits, labels = plain.drawn(n=200)
    first, again = (ConformalSets.fit(logits, labels, "aps", seed=1) for _ in range(2))
    assert first == again
    assert (first.predict(logits) == again.predict(logits)).all()
    assert ConformalSets.fit(logits, labels, "aps", seed=2) != first


def test_subnetworks_are_averaged_and_chunks_do_not_show(monkeypatch):
    logits, labels = plain.drawn(n=50, members=2)
    for method in METHODS:
        fitted = ConformalSets.fit(logits.mean(axis=1), labels, method)
        sets = fitted.predict(logits.mean(axis=1))
        with monkeypatch.context() as patched:
            patched.setattr(_predictions, "NUMBERS", 12)
            again = ConformalSets.fit(logits, labels, method)
            assert again.threshold == pytest.approx(fitted.threshold, rel=1e-12)
            assert (fitted.predict(logits) == sets).all()


@pytest.mark.parametrize("method", METHODS)
def test_one_class_and_equal_probabilities(method):
    fitted = ConformalSets.fit(np.zeros((20, 1)), np.zeros(20, int), method)
    sizes, hits = fitted.sizes_and_hits(np.zeros((20, 1)), np.zeros(20, int))
    assert (hits == (sizes == 1)).all()
    fitted = ConformalSets.fit(
        np.zeros((20, 4)), np.arange(20) % 4, method, 0.5, randomised=False
    )
    # Of equal probabilities the first classes are taken.
    sets = fitted.predict(np.zeros((3, 4)))
    size = 4 if method == "lac" else 3
    assert sets.tolist() == [[k < size for k in range(4)]] * 3


def test_it_survives_json():
    logits, labels = plain.drawn()
    fitted = ConformalSets.fit(logits, labels, "raps", 0.75, seed=5, **OPTIONS)
    content = json.loads(json.dumps(fitted.to_dict(), allow_nan=False))
    again = ConformalSets.from_dict(content)
    assert again == fitted
    assert (again.predict(logits) == fitted.predict(logits)).all()


GOOD = ConformalSets("aps", 0.9, 0.5, 3, 20).to_dict()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"method": "thr"}, "`method` must be one of 'lac', 'aps', 'raps'. Received"),
        ({"coverage": 1}, r"`coverage` must be in \(0, 1\). Received: coverage=1"),
        ({"coverage": None}, r"`coverage` must be in \(0, 1\)"),
        ({"threshold": -1}, "`threshold` must be a number of at least 0"),
        ({"threshold": float("nan")}, "`threshold` must be a number of at least 0"),
        ({"threshold": "1"}, "`threshold` must be a number of at least 0"),
        ({"num_classes": 0}, "`num_classes` must be an integer of at least 1"),
        ({"samples": 1.5}, "`samples` must be an integer of at least 1"),
        ({"penalty": INFINITE}, "`penalty` must be a number of at least 0"),
        ({"free_rank": 0}, "`free_rank` must be an integer of at least 1"),
        ({"randomised": 1}, "`randomised` must be a boolean. Received: randomised=1"),
        ({"seed": -1}, "`seed` must be an integer of at least 0"),
        ({"more": 1}, "`values` must be a dict with the keys coverage, free_rank, "),
    ],
)
def test_what_does_not_fit_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        ConformalSets.from_dict({**GOOD, **changes})


@pytest.mark.parametrize("values", [None, [], "a", {}, {"method": "lac"}, 3])
def test_what_is_no_such_dict_is_refused(values):
    with pytest.raises(ValueError, match=r"`values` must be a dict with .* Received"):
        ConformalSets.from_dict(values)


def test_predictions_that_do_not_fit_are_refused():
    logits, labels = plain.drawn()
    fitted = ConformalSets.fit(logits, labels)
    for call in (fitted.predict, lambda x: fitted.sizes_and_hits(x, labels % 4)):
        with pytest.raises(ValueError, match=r"`logits` must have 5 classes. Received"):
            call(logits[:, :4])
        with pytest.raises(ValueError, match="`logits` must not be NaN"):
            call(np.where(labels[:, None] == 0, np.nan, logits))
    with pytest.raises(ValueError, match="`labels` must be in 0 to 4"):
        fitted.sizes_and_hits(logits, labels + 1)
    with pytest.raises(ValueError, match="`labels` must be in 0 to 4"):
        ConformalSets.fit(logits, labels + 1)
    with pytest.raises(ValueError, match="and not be empty"):
        ConformalSets.fit(logits[:0], labels[:0])
