"""Keras's metrics on mixed pairs count every prediction of a subnetwork."""

import keras
import numpy as np
import pytest
from keras import metrics, ops

from keras_mixvit.metrics import NLL, SubnetworkAccuracy
from keras_mixvit.models import ensemble_logits
from tests.helpers import LOSS, numpy
from tests.models.recording import RecordingModel

SOFT = keras.losses.CategoricalCrossentropy(from_logits=True)
RNG = np.random.default_rng(0)
X = RNG.normal(size=(9, 2, 4, 4, 1)).astype("float32")
PAIRS = {"images": X, "masks": np.full((9, 2, 2, 2), 0.5, "float32")}
LABELS = RNG.integers(2, size=(9, 2))
WEIGHTS = RNG.uniform(0.5, 2, size=(9, 2)).astype("float32")


def own(y_true, y_pred):
    """A user's metric function, with labels as the loss has them."""
    classes = ops.argmax(y_pred, axis=-1)
    if len(y_true.shape) == len(y_pred.shape):
        y_true = ops.argmax(y_true, axis=-1)
    return ops.cast(ops.equal(classes, ops.cast(y_true, classes.dtype)), "float32")


class OwnF1(metrics.F1Score):
    """A user's subclass."""


def log_probabilities(z):
    return z - np.log(np.exp(z).sum(-1, keepdims=True))


def weighted_accuracy(y, z, w):
    return ((z.argmax(-1) == y) * w).sum() / w.sum()


def weighted_nll(y, z, w):
    rows = np.arange(len(y))
    return -(log_probabilities(z)[rows, y] * w).sum() / w.sum()


def f1(y, z, w):
    classes = z.argmax(-1)
    scores = []
    for k in range(z.shape[1]):
        hits = (w * ((classes == k) & (y == k))).sum()
        total = (w * (classes == k)).sum() + (w * (y == k)).sum()
        scores.append(2 * hits / total)
    return np.array(scores)


def intersection_over_union(y, z, w):
    classes = z.argmax(-1)
    shares = []
    for k in range(z.shape[1]):
        hits = (w * ((classes == k) & (y == k))).sum()
        total = (w * ((classes == k) | (y == k))).sum()
        shares.append(hits / total)
    return np.mean(shares)


def binary_nll(y, z, w):
    signs = 2 * np.eye(z.shape[1])[y] - 1
    return (np.log1p(np.exp(-signs * z)).mean(-1) * w).sum() / w.sum()


RIGHT = {
    "accuracy": (lambda: "accuracy", weighted_accuracy),
    "acc": (lambda: "acc", weighted_accuracy),
    "sparse name": (lambda: "sparse_categorical_accuracy", weighted_accuracy),
    "name": (lambda: "categorical_accuracy", weighted_accuracy),
    "function": (lambda: metrics.sparse_categorical_accuracy, weighted_accuracy),
    "sparse": (metrics.SparseCategoricalAccuracy, weighted_accuracy),
    "categorical": (metrics.CategoricalAccuracy, weighted_accuracy),
    "top 1": (lambda: metrics.TopKCategoricalAccuracy(k=1), weighted_accuracy),
    "sparse top 1": (
        lambda: metrics.SparseTopKCategoricalAccuracy(k=1),
        weighted_accuracy,
    ),
    "nll": (NLL, weighted_nll),
    "entropy": (
        lambda: metrics.CategoricalCrossentropy(from_logits=True),
        weighted_nll,
    ),
    "sparse entropy": (
        lambda: metrics.SparseCategoricalCrossentropy(from_logits=True),
        weighted_nll,
    ),
    "binary": (lambda: metrics.BinaryCrossentropy(from_logits=True), binary_nll),
    "f1": (metrics.F1Score, f1),
    "own f1": (OwnF1, f1),
    "iou": (
        lambda: metrics.OneHotMeanIoU(num_classes=2, sparse_y_pred=False),
        intersection_over_union,
    ),
    "own": (lambda: own, weighted_accuracy),
}
WRONG = {
    "auc": metrics.AUC,
    "precision": metrics.Precision,
    "recall": metrics.Recall,
    "binary accuracy": metrics.BinaryAccuracy,
    "iou": lambda: metrics.MeanIoU(num_classes=2),
    "thresholded f1": lambda: metrics.F1Score(threshold=0.5),
    "r2": metrics.R2Score,
    "mse": lambda: "mse",
    "entropy": metrics.CategoricalCrossentropy,
    "sparse entropy": metrics.SparseCategoricalCrossentropy,
    "entropy function": lambda: metrics.categorical_crossentropy,
    "kl": metrics.KLDivergence,
    "precision at recall": lambda: metrics.PrecisionAtRecall(0.5),
}


@pytest.mark.parametrize("loss", [LOSS, SOFT], ids=["integer", "soft"])
@pytest.mark.parametrize("name", RIGHT)
def test_a_metric_counts_every_prediction_of_a_mixed_pair(name, loss):
    make, expected = RIGHT[name]
    model = RecordingModel()
    model.compile(
        "sgd", loss, metrics=[make()], weighted_metrics=[make()], jit_compile=False
    )
    logits = numpy(model(PAIRS)).astype("float64").reshape(-1, 2)
    labels, weights = LABELS.reshape(-1), WEIGHTS.reshape(-1).astype("float64")
    found = model.evaluate(
        PAIRS, LABELS, sample_weight=WEIGHTS, batch_size=4, verbose=0, return_dict=True
    )
    del found["loss"]
    unweighted, weighted = found.values()
    np.testing.assert_allclose(
        unweighted, expected(labels, logits, np.ones(18)), rtol=1e-5
    )
    if name != "iou":  # Keras makes whole numbers of its weights.
        wanted = expected(labels, logits, weights)
        np.testing.assert_allclose(weighted, wanted, rtol=1e-5)


@pytest.mark.parametrize("name", RIGHT)
def test_a_metric_sees_the_ensemble_in_validation(name):
    make, expected = RIGHT[name]
    model = RecordingModel()
    model.compile("sgd", LOSS, metrics=[make()], jit_compile=False)
    logits = numpy(model(X[:, 0])).astype("float64")
    found = model.evaluate(X[:, 0], LABELS[:, 0], verbose=0, return_dict=True)
    del found["loss"]
    (value,) = found.values()
    wanted = expected(LABELS[:, 0], logits, np.ones(9))
    np.testing.assert_allclose(value, wanted, rtol=1e-5)


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize("name", WRONG)
def test_metrics_of_probabilities_are_refused(name, argument):
    model = RecordingModel()
    text = rf"`{argument}` must take logits: set from_logits=True .* Received: metric="
    with pytest.raises(ValueError, match=text):
        model.compile("sgd", LOSS, **{argument: [WRONG[name]()]})


def test_a_curve_of_logits_counts_every_class_of_every_prediction():
    model = RecordingModel()
    curve = metrics.AUC(from_logits=True, num_thresholds=10_000)
    model.compile("sgd", LOSS, metrics=[curve], jit_compile=False)
    logits = numpy(model(PAIRS)).astype("float64").reshape(-1)
    true = np.eye(2)[LABELS].reshape(-1).astype(bool)
    above = logits[true][:, None] - logits[~true]
    expected = ((above > 0) + 0.5 * (above == 0)).mean()
    found = model.evaluate(PAIRS, LABELS, verbose=0)[1]
    np.testing.assert_allclose(found, expected, atol=0.03)


@pytest.mark.parametrize(
    "nested",
    [lambda m: [m], lambda m: [[m, "accuracy"]], lambda m: {"output": [m]}],
    ids=["list", "nested", "dict"],
)
def test_metrics_of_subnetworks_are_found_in_every_form(nested):
    model = RecordingModel()
    subnetwork = SubnetworkAccuracy(subnetwork=1)
    model.compile("sgd", LOSS, metrics=nested(subnetwork), jit_compile=False)
    found = model.evaluate(PAIRS, LABELS, verbose=0, return_dict=True)
    logits = numpy(model(PAIRS))
    expected = (logits[:, 1].argmax(-1) == LABELS[:, 1]).mean()
    np.testing.assert_allclose(found["subnetwork_accuracy"], expected, rtol=1e-6)


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
@pytest.mark.parametrize("value", ["accuracy", {"a": ["acc"], "b": ["acc"]}])
def test_metrics_of_several_outputs_are_refused(argument, value):
    text = rf"`{argument}` must be a list of metrics: the model has one output\. Rec"
    with pytest.raises(ValueError, match=text):
        RecordingModel().compile("sgd", LOSS, **{argument: value})


def test_a_subnetwork_metric_in_a_dict_is_not_weighted():
    with pytest.raises(ValueError, match="`weighted_metrics` must not have metrics"):
        RecordingModel().compile(
            "sgd", LOSS, weighted_metrics={"output": [[SubnetworkAccuracy()]]}
        )


def test_an_ensemble_of_something_else_is_refused():
    text = r"`ensemble_of` must be one of 'logits', 'probabilities'\. Received: ense"
    with pytest.raises(ValueError, match=text):
        ensemble_logits(np.zeros((1, 2, 3), "float32"), "typo")
