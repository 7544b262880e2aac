"""Keras metrics over uneven batches, against the functions of whole sets."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import metrics
from keras_mixvit.backbones import ConViT
from keras_mixvit.metrics import (
    ECE,
    Brier,
    Disagreement,
    PairwiseKL,
    RatioError,
    SubnetworkNLL,
    TopKAccuracy,
)
from keras_mixvit.models import MixViT
from tests.helpers import LOSS, set_weights
from tests.metrics import plain

INFINITE = float("inf")
MEMBERS, LABELS = plain.drawn(n=8, classes=4, members=3)
REPEATED = np.repeat(LABELS[:, None], 3, axis=1)
WEIGHTS = np.array([2, 1, 0, 1, 3, 1, 1, 0])
ONE = MEMBERS[:, 0]


def result(metric, *batches):
    for batch in batches:
        metric.update_state(*batch)
    return float(metric.result())


def close(value):
    return pytest.approx(value, rel=1e-5, abs=1e-6)


@pytest.fixture(scope="module")
def judged():
    """What `evaluate` gives in batches of 3, 3 and 1, and what is predicted."""
    model = MixViT(ConViT((4, 4, 1), 2, 8, 2, 1, 1), 4, num_subnetworks=3)
    set_weights(model, scale=1.0)
    rng = np.random.default_rng(1)
    images = rng.random((7, 4, 4, 1)).astype("float32")
    labels = rng.integers(4, size=7)
    model.compile(
        "sgd",
        LOSS,
        metrics=[
            TopKAccuracy(2),
            ECE(),
            ECE(4, name="ece_4"),
            Brier(),
            Brier(per_class=True, name="brier_per_class"),
            SubnetworkNLL(),
            SubnetworkNLL(1, name="second"),
            RatioError(3),
            Disagreement(),
            PairwiseKL(),
        ],
    )
    scores = model.evaluate(images, labels, 3, verbose=0, return_dict=True)
    members = model.inference_network.predict(images, verbose=0)
    return scores, members, labels


def test_compiled_they_are_exact_over_uneven_batches(judged):
    scores, members, labels = judged
    each = [metrics.nll(members[:, m], labels) for m in range(3)]
    expected = {
        "top_k_accuracy": metrics.accuracy(members, labels, k=2),
        "ece": metrics.calibration_error(members, labels),
        "ece_4": metrics.calibration_error(members, labels, bins=4),
        "brier": metrics.brier(members, labels),
        "brier_per_class": metrics.brier(members, labels, per_class=True),
        "subnetwork_nll": np.mean(each),
        "second": each[1],
        "ratio_error": metrics.ratio_error(members, labels),
        "disagreement": metrics.disagreement(members),
        "pairwise_kl": metrics.pairwise_kl(members),
    }
    assert {name: scores[name] for name in expected} == close(expected)


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (TopKAccuracy(2), lambda *case: metrics.accuracy(*case, k=2)),
        (ECE(5), lambda *case: metrics.calibration_error(*case, bins=5)),
        (Brier(), metrics.brier),
    ],
)
def test_a_weight_is_a_number_of_samples(metric, function):
    expected = function(ONE.repeat(WEIGHTS, axis=0), LABELS.repeat(WEIGHTS))
    assert result(metric, (LABELS, ONE, WEIGHTS)) == close(expected)


@pytest.mark.parametrize(
    ("metric", "function"),
    [
        (RatioError(3), metrics.ratio_error),
        (Disagreement(), lambda members, _: metrics.disagreement(members)),
        (PairwiseKL(), lambda members, _: metrics.pairwise_kl(members)),
    ],
)
def test_a_weight_is_a_number_of_samples_of_all_subnetworks(metric, function):
    expected = function(MEMBERS.repeat(WEIGHTS, axis=0), LABELS.repeat(WEIGHTS))
    assert result(metric, (REPEATED, MEMBERS, WEIGHTS)) == close(expected)


def test_subnetworks_may_have_weights_of_their_own():
    weights = np.stack([WEIGHTS, WEIGHTS[::-1], np.zeros(8)], axis=1)
    labels = np.concatenate([LABELS.repeat(WEIGHTS), LABELS.repeat(WEIGHTS[::-1])])
    logits = np.concatenate(
        [
            MEMBERS[:, 0].repeat(WEIGHTS, axis=0),
            MEMBERS[:, 1].repeat(WEIGHTS[::-1], axis=0),
        ]
    )
    batch = (REPEATED, MEMBERS, weights)
    assert result(SubnetworkNLL(), batch) == close(metrics.nll(logits, labels))
    error = metrics.calibration_error(logits, labels)
    assert result(ECE(), batch) == close(error)
    second = metrics.nll(MEMBERS[:, 1].repeat(WEIGHTS[::-1], 0), labels[9:])
    assert result(SubnetworkNLL(1), batch) == close(second)


@pytest.mark.parametrize("metric", [TopKAccuracy(2), ECE(), Brier()])
def test_soft_labels_that_are_certain_are_integers(metric):
    expected = result(metric, (LABELS, ONE))
    metric.reset_state()
    assert result(metric, (np.eye(4)[LABELS], ONE)) == close(expected)


def test_brier_score_counts_soft_labels_as_they_are_given():
    metric = Brier()
    found = result(metric, ([[0.75, 0.25, 0.0, 0.0]] * 8, np.zeros((8, 4))))
    assert found == close(0.5**2 + 2 * 0.25**2)


def test_subnetwork_nll_of_soft_labels():
    soft = 0.5 * np.eye(4)[REPEATED] + 0.125
    logs = MEMBERS - np.log(np.exp(MEMBERS).sum(axis=-1, keepdims=True))
    expected = -(soft * logs).sum(axis=-1).mean()
    assert result(SubnetworkNLL(), (soft, MEMBERS)) == close(expected)


def test_half_precision_logits_are_judged_in_float32():
    logits = ops.cast(MEMBERS, "bfloat16")
    exact = np.asarray(ops.convert_to_numpy(ops.cast(logits, "float32")))
    batch = (REPEATED, logits)
    found = [result(m, batch) for m in (PairwiseKL(), SubnetworkNLL(), ECE(), Brier())]
    flat = exact.reshape(-1, 4), REPEATED.ravel()
    expected = [
        metrics.pairwise_kl(exact),
        metrics.nll(*flat),
        metrics.calibration_error(*flat),
        metrics.brier(*flat),
    ]
    assert found == close(expected)


def test_of_equal_logits_the_first_classes_are_taken():
    ties = np.zeros((8, 4))
    labels = np.array([0, 0, 1, 1, 1, 2, 2, 3])
    for k in range(1, 5):
        expected = metrics.accuracy(ties, labels, k)
        assert result(TopKAccuracy(k), (labels, ties)) == close(expected)


def test_bins_are_closed_above():
    # Half sure and right, sure and wrong: of one bin they would nearly cancel out.
    found = result(ECE(2), ([0, 1], [[0.0, 0.0], [40.0, 0.0]]))
    assert found == close((0.5 + 1) / 2)


def test_predictions_that_are_nan_are_wrong():
    logits = np.where(LABELS[:, None] == 0, np.nan, np.eye(4)[LABELS])
    found = result(TopKAccuracy(1), (LABELS, logits))
    assert found == close(np.mean(LABELS != 0))


def one_hot(classes):
    """Eight samples of three subnetworks."""
    return 5 * np.eye(4)[np.resize(classes, (8, 3))]


def test_ratio_error_where_errors_are_few():
    right = np.zeros((8, 3), int)
    assert np.isnan(result(RatioError(3), (right, one_hot([0, 0, 0]))))
    assert result(RatioError(3), (right, one_hot([0, 0, 1]))) == INFINITE
    assert result(RatioError(3), (right, one_hot([1, 2, 3]))) == 0


def test_probabilities_of_zero():
    none = one_hot([0, 0, 0])
    none[:, :, 3] = -INFINITE
    assert result(PairwiseKL(), (REPEATED, none)) == 0
    none[:, 1, 3] = 0
    assert result(PairwiseKL(), (REPEATED, none)) == INFINITE


def test_nothing_judged_is_zero():
    assert float(ECE().result()) == 0


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopKAccuracy(0), "`k` must be an integer of at least 1"),
        (lambda: ECE(0), "`bins` must be an integer of at least 1"),
        (lambda: RatioError(1), "`num_subnetworks` must be an integer of at least 2"),
        (lambda: SubnetworkNLL(-1), "`subnetwork` must be an integer of at least 0"),
        (
            lambda: RatioError().update_state(REPEATED, MEMBERS),
            "`num_subnetworks` must be that of the predictions, 3. Received: num_sub",
        ),
        (
            lambda: RatioError(3).update_state(REPEATED, MEMBERS, REPEATED),
            r"`sample_weight` must have shape \(B,\): a pair",
        ),
        (
            lambda: SubnetworkNLL(3).update_state(REPEATED, MEMBERS),
            "`subnetwork` must be in 0 to 2. Received: subnetwork=3",
        ),
        (
            lambda: Disagreement().update_state(LABELS, MEMBERS[:, :1]),
            "`logits` must have at least two subnetworks. Received: num_subnetworks=1",
        ),
        (
            lambda: PairwiseKL().update_state(LABELS, MEMBERS[:, :1]),
            "`logits` must have at least two subnetworks.",
        ),
    ],
)
def test_what_does_not_fit_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_metrics_that_ask_for_subnetworks_say_so():
    for metric in (SubnetworkNLL(), RatioError(), Disagreement(), PairwiseKL()):
        assert metric.on_subnetworks
    assert keras.metrics.get({"class_name": "keras_mixvit>ECE", "config": {}}).bins
