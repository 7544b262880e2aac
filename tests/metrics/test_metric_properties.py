import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import metrics
from tests.metrics import plain
from tests.metrics.cases import SCALES, SEEDS, labelled
from tests.properties import examples, run

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
