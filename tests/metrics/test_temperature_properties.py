import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import metrics
from keras_mixvit.metrics._calibrated_nll import calibrated
from tests.metrics import plain
from tests.metrics.cases import labelled, predictions
from tests.properties import holds


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
