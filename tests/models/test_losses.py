"""Losses are judged by what they do."""

import functools

import keras
import numpy as np
import pytest
from keras import losses, ops

from keras_mixvit import SingleNetwork
from keras_mixvit.models._loss_checks import require_loss
from tests.helpers import numpy
from tests.models.recording import RecordingModel


class OwnSoft(losses.CategoricalCrossentropy):
    """A user's subclass."""


class OwnSparse(losses.SparseCategoricalCrossentropy):
    """A user's subclass, whose name says nothing of its labels."""


class Margin(losses.Loss):
    """A user's loss that takes labels of both forms."""

    def call(self, y_true, y_pred):
        if len(y_true.shape) < len(y_pred.shape):
            y_true = ops.one_hot(ops.cast(y_true, "int32"), y_pred.shape[-1])
        true = ops.sum(y_true * y_pred, axis=-1)
        return ops.logsumexp(y_pred, axis=-1) - true


def brier(y_true, y_pred):
    return ops.sum((ops.softmax(y_pred) - y_true) ** 2, axis=-1)


def sigmoid_brier(y_true, y_pred):
    return ops.mean((ops.sigmoid(y_pred) - y_true) ** 2, axis=-1)


def robust(y_true, y_pred):
    share = ops.sum(y_true * ops.softmax(y_pred), axis=-1)
    return (1 - share**0.7) / 0.7


ACCEPTED = {
    "sparse": (losses.SparseCategoricalCrossentropy(from_logits=True), "integer"),
    "ignoring": (
        losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=0),
        "integer",
    ),
    "categorical": (losses.CategoricalCrossentropy(from_logits=True), "soft"),
    "smoothed": (
        losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2),
        "soft",
    ),
    "focal": (losses.CategoricalFocalCrossentropy(from_logits=True), "soft"),
    "binary": (losses.BinaryCrossentropy(from_logits=True), "soft"),
    "binary smoothed": (
        losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2),
        "soft",
    ),
    "binary focal": (
        losses.BinaryFocalCrossentropy(from_logits=True, apply_class_balancing=True),
        "soft",
    ),
    "hinge": ("categorical_hinge", "soft"),
    "partial": (
        functools.partial(losses.categorical_crossentropy, from_logits=True),
        "soft",
    ),
    "sparse partial": (
        functools.partial(losses.sparse_categorical_crossentropy, from_logits=True),
        "integer",
    ),
    "lambda": (
        lambda y, z: losses.categorical_crossentropy(y, z, from_logits=True),
        "soft",
    ),
    "own subclass": (OwnSoft(from_logits=True), "soft"),
    "own sparse subclass": (OwnSparse(from_logits=True), "integer"),
    "own of both": (Margin(), "as given"),
    "brier": (brier, "soft"),
    "sigmoid brier": (sigmoid_brier, "soft"),
    "robust": (robust, "soft"),
    "none": (None, "as given"),
}
PROBABILITIES = {
    "sparse function": losses.sparse_categorical_crossentropy,
    "function": losses.categorical_crossentropy,
    "partial": functools.partial(losses.sparse_categorical_crossentropy, axis=-1),
    "lambda": lambda y, z: losses.categorical_crossentropy(y, z),
    "subclass": OwnSoft(),
    "sparse": losses.SparseCategoricalCrossentropy(),
    "binary": losses.BinaryCrossentropy(),
    "focal": losses.CategoricalFocalCrossentropy(),
    "binary focal": losses.BinaryFocalCrossentropy(),
    **{
        name: name
        for name in (
            "ce",
            "crossentropy",
            "categorical_crossentropy",
            "binary_crossentropy",
            "mse",
            "mae",
            "huber",
            "mape",
            "msle",
            "poisson",
            "kl_divergence",
            "cosine_similarity",
        )
    },
}


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", ACCEPTED)
def test_losses_of_logits_are_accepted(name, classes):
    loss, form = ACCEPTED[name]
    assert require_loss(loss, classes) == form


@pytest.mark.parametrize("classes", [2, 5])
@pytest.mark.parametrize("name", PROBABILITIES)
def test_losses_of_probabilities_are_refused(name, classes):
    text = r"`loss` must take logits, such as keras\.losses\.Sparse.* Received: loss="
    with pytest.raises(ValueError, match=text):
        require_loss(PROBABILITIES[name], classes)


@pytest.mark.parametrize(
    ("loss", "problem"),
    [
        (losses.Dice(), "It raised"),
        (lambda y, z: ops.sum(z), r"It gave the shape \(\) for predictions \(2, 3\)"),
        (
            lambda y, z: ops.log_softmax(z, axis=0)[..., 0],
            "It mixed predictions of different samples or subnetworks",
        ),
        (
            lambda y, z: -ops.log_softmax(z, axis=1)[..., 0],
            "It mixed predictions of different samples or subnetworks",
        ),
    ],
)
def test_a_loss_gives_one_value_for_each_prediction(loss, problem):
    text = r"`loss` must be a function of labels .*" + problem + ".* Received: loss="
    with pytest.raises(ValueError, match=text):
        require_loss(loss, 5)


def test_compile_refuses_before_it_changes_anything():
    model = RecordingModel()
    before = model.optimizer
    with pytest.raises(ValueError, match="`loss` must take logits"):
        model.compile("adam", losses.sparse_categorical_crossentropy)
    assert model.optimizer is before


@pytest.mark.parametrize(
    "loss",
    [OwnSoft(from_logits=True), OwnSparse(from_logits=True), Margin()],
    ids=["soft", "sparse", "both"],
)
def test_integer_labels_reach_a_users_loss_as_it_takes_them(loss):
    rng = np.random.default_rng(0)
    x = rng.integers(255, size=(6, 2, 4, 4, 1)).astype("float32")
    inputs = {"images": x, "masks": np.full((6, 2, 2, 2), 0.5, "float32")}
    labels = rng.integers(2, size=(6, 2))
    model = RecordingModel()
    model.compile("sgd", loss, weighted_metrics=["accuracy"], jit_compile=False)
    logits = numpy(model(inputs)).astype("float64")
    found = model.evaluate(inputs, labels, verbose=0, return_dict=True)
    true = np.take_along_axis(logits, labels[..., None], axis=-1)[..., 0]
    expected = np.log(np.exp(logits).sum(-1)) - true
    np.testing.assert_allclose(found["loss"], expected.mean(), rtol=1e-5)
    accuracy = (logits.argmax(-1) == labels).mean()
    np.testing.assert_allclose(found["accuracy"], accuracy, rtol=1e-6)


def test_a_single_class_is_not_tried():
    assert require_loss(losses.BinaryCrossentropy(from_logits=True), 1) == "soft"


def test_a_users_loss_survives_saving(tmp_path):
    from keras_mixvit import load_model
    from tests.helpers import images, tiny_convit

    loss = keras.saving.register_keras_serializable("tests")(OwnSoft)
    model = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    model.compile("sgd", loss(from_logits=True))
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    x, y = images(4), np.arange(4)
    expected = model.evaluate(x, y, verbose=0)
    np.testing.assert_allclose(loaded.evaluate(x, y, verbose=0), expected, rtol=1e-6)
