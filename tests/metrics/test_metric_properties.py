"""Metrics against plain loops, for any predictions, in any order and batches."""

import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import metrics
from keras_mixvit.metrics._calibrated_nll import calibrated
from tests.metrics import plain
from tests.properties import examples, holds, run

SEEDS = st.integers(0, 2**32 - 1)
# Multiples of a half, so that many are equal, and numbers at the ends of float32.
SCALES = st.sampled_from([0.0, 0.5, 3.0, 40.0, 1e4, 1e30, 1e37])


@st.composite
def predictions(draw, members=None, most=30):
    """Logits and labels, some of them with ties or without one of the classes."""
    rng = np.random.default_rng(draw(SEEDS))
    n, classes = draw(st.integers(1, most)), draw(st.integers(1, 6))
    shape = (n, classes) if members is None else (n, draw(members), classes)
    values = rng.normal(size=shape)
    if draw(st.booleans()):
        values = np.round(2 * values) / 2
    logits = draw(SCALES) * values
    labels = rng.integers(draw(st.integers(1, classes)), size=n)
    if draw(st.booleans()):
        hint = np.eye(classes)[labels]
        logits = logits + 2 * (hint if members is None else hint[:, None])
    return logits.astype(draw(st.sampled_from(["float32", "float64"]))), labels


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


# Few shapes: JAX compiles each operation for each of them.
N, SPLITS = 12, ((12,), (6, 6), (4, 8), (1, 11), (2, 2, 8))


@st.composite
def batches(draw, members):
    rng = np.random.default_rng(draw(SEEDS))
    shape = (N, 3) if members is None else (N, members, 3)
    values = rng.normal(size=shape)
    if draw(st.booleans()):
        values = np.round(2 * values) / 2
    logits = (draw(SCALES) * values).astype("float32")
    labels = rng.integers(draw(st.integers(1, 3)), size=N)
    weights = rng.random(N).astype("float32") if draw(st.booleans()) else None
    return logits, labels, weights, draw(st.sampled_from(SPLITS)), draw(st.booleans())


def over_batches(metric, logits, labels, weights, split):
    start = 0
    for size in split:
        part = slice(start, start + size)
        metric.update_state(
            labels[part], logits[part], None if weights is None else weights[part]
        )
        start += size
    return float(metric.result())


def labelled(labels, is_soft):
    return np.eye(3, dtype="float32")[labels] if is_soft else labels


WHOLE = {
    "nll": (metrics.NLL, metrics.nll),
    "brier": (metrics.Brier, metrics.brier),
    "top2": (lambda: metrics.TopKAccuracy(2), lambda x, y: metrics.accuracy(x, y, 2)),
    "top1": (lambda: metrics.TopKAccuracy(1), metrics.accuracy),
    "ece": (metrics.ECE, metrics.calibration_error),
}


@pytest.mark.parametrize("name", sorted(WHOLE))
@examples(few=8, many=250)
def test_metrics_over_batches_are_the_functions_of_the_whole(name, examples):
    made, function = WHOLE[name]

    def check(drawn):
        logits, labels, weights, split, is_soft = drawn
        given = labelled(labels, is_soft)
        found = over_batches(made(), logits, given, weights, split)
        at_once = over_batches(made(), logits, given, weights, (N,))
        np.testing.assert_allclose(found, at_once, rtol=1e-5, atol=1e-6)
        if weights is not None:
            # A weight counts as so many samples: those of one at a time.
            return
        expected = function(logits, labels)
        if name == "ece" and near_an_edge(logits):
            return
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    run(check, examples, drawn=batches(None))


def near_an_edge(logits):
    """Whether float32 may sort a confidence into another bin."""
    confidences = np.array([max(plain.probabilities(row)) for row in logits])
    apart = np.abs(confidences * 15 - np.round(confidences * 15))
    return ((apart < 1e-4) & (confidences < 1)).any()


OF_SUBNETWORKS = {
    "disagreement": (metrics.Disagreement, lambda x, y: metrics.disagreement(x)),
    "pairwise_kl": (metrics.PairwiseKL, lambda x, y: metrics.pairwise_kl(x)),
    "ratio_error": (metrics.RatioError, metrics.ratio_error),
    "accuracy": (
        metrics.SubnetworkAccuracy,
        lambda x, y: np.mean([metrics.accuracy(x[:, m], y) for m in range(2)]),
    ),
    "nll": (
        metrics.SubnetworkNLL,
        lambda x, y: np.mean([metrics.nll(x[:, m], y) for m in range(2)]),
    ),
}


@pytest.mark.parametrize("name", sorted(OF_SUBNETWORKS))
@examples(few=8, many=250)
def test_metrics_of_subnetworks_are_the_functions_of_the_whole(name, examples):
    made, function = OF_SUBNETWORKS[name]

    def check(drawn):
        logits, labels, _, split, is_soft = drawn
        given = np.stack([labelled(labels, is_soft)] * 2, axis=1)
        found = over_batches(made(), logits, given, None, split)
        expected = function(logits, labels)
        if name == "pairwise_kl" and np.abs(logits).max() > 80:
            # Beyond float32's smallest powers the two lose different terms.
            assert found >= 0
            return
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)

    run(check, examples, drawn=batches(2))


def golden(function, low, high, steps=200):
    """The place of the minimum of a convex function."""
    share = (5**0.5 - 1) / 2
    for _ in range(steps):
        a, b = high - share * (high - low), low + share * (high - low)
        low, high = (low, b) if function(a) < function(b) else (a, high)
    return (low + high) / 2


@holds(few=25, many=800, drawn=predictions(), factor=st.floats(1e-3, 1e3))
def test_the_temperature_is_the_minimum_of_nll(drawn, factor):
    logits, labels = drawn
    logits = logits.astype("float64")
    temperature = metrics.fit_temperature(logits, labels)
    assert temperature >= 0
    scaled = metrics.fit_temperature(factor * logits, labels)
    if 0 < temperature < np.inf and logits.any() and logits.shape[1] > 1:
        spread = np.ptp(logits, axis=1).max()
        if spread == 0:
            assert temperature == 1
            return
        np.testing.assert_allclose(scaled, factor * temperature, rtol=1e-3)

        def at(log_inverse):
            return plain.nll(logits / spread * np.exp(log_inverse), labels)

        best = at(golden(at, -12, 12))
        assert at(np.log(spread / temperature)) <= best + 1e-6 * (1 + best)
        # A temperature changes how sure predictions are, not what they are.
        divided = logits / temperature
        assert metrics.accuracy(divided, labels) == metrics.accuracy(logits, labels)
    elif temperature == 0:
        top = logits.max(axis=1)
        assert (logits[np.arange(len(labels)), labels] == top).all()
    elif temperature == np.inf:
        assert plain.nll(logits * 1e-9, labels) <= plain.nll(logits, labels) + 1e-6


@holds(few=25, many=800, drawn=predictions(), seed=st.integers(0, 1000))
def test_the_calibrated_nll_is_that_of_two_halves(drawn, seed):
    logits, labels = drawn
    if len(labels) < 2:
        with pytest.raises(ValueError, match="at least two samples"):
            metrics.calibrated_nll(logits, labels, seed)
        return
    value, temperatures = calibrated(logits, labels, seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    halves = np.split(order, [len(order) // 2])
    exact = logits.astype("float64")
    values = [
        plain.nll(exact[half] / temperature, labels[half])
        for half, temperature in zip(halves, temperatures, strict=True)
    ]
    np.testing.assert_allclose(value, np.mean(values), rtol=1e-9, atol=1e-12)


@holds(few=30, many=500, drawn=predictions(), kind=st.integers(0, 4))
def test_what_is_no_prediction_is_refused(drawn, kind):
    logits, labels = drawn
    logits = logits.astype("float64")
    logits[-1, -1] = np.nan if kind == 0 else logits[-1, -1]
    if kind == 1:
        logits[-1] = -np.inf
    if kind == 2:
        logits[-1, -1] = np.inf
    if kind == 3:
        labels = np.append(labels, 0)
    if kind == 4:
        labels = labels - logits.shape[1]
    for function in (metrics.accuracy, metrics.nll, metrics.brier, metrics.auroc):
        with pytest.raises(ValueError, match=r"`(logits|labels)` must .*Received: "):
            function(logits, labels)


def test_metrics_are_numbers_where_a_class_has_no_probability():
    logits = np.array([[0.0, -np.inf, 1.0]], "float32")
    for is_soft in (False, True):
        metric = metrics.NLL()
        metric.update_state(labelled(np.array([2]), is_soft), logits)
        expected = metrics.nll(logits, np.array([2]))
        np.testing.assert_allclose(float(metric.result()), expected, rtol=1e-6)
