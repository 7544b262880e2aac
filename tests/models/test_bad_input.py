"""Errors of compile, fit and evaluate, by their text."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork, mixed_pair_dataset
from keras_mixvit.metrics import SubnetworkAccuracy
from tests.helpers import (
    EAGERLY,
    LOSS,
    images,
    numpy,
    one_hot_masks,
    tiny_convit,
)


@pytest.fixture(scope="module")
def model():
    model = MixViT(tiny_convit(), 5)
    model.compile("sgd", LOSS, **EAGERLY)
    return model


def pairs(**changes):
    arrays = {
        "images": np.stack([images(4), images(4)], 1),
        "masks": one_hot_masks(4, 2),
    }
    return {**arrays, **changes}


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            keras.losses.CategoricalCrossentropy(from_logits=True, reduction="sum"),
            '`loss` must have the reduction "sum_over_batch_size", which the loss '
            "weights expect. Received: reduction='sum'",
        ),
        (
            keras.losses.CategoricalCrossentropy(),
            "`loss` must take logits, such as",
        ),
        ("sparse_categorical_crossentropy", "`loss` must take logits, such as"),
        ({"heads": LOSS}, "`loss` must be a single loss, such as"),
        ([LOSS], "`loss` must be a single loss, such as"),
    ],
)
def test_losses_that_do_not_fit_the_weights_are_refused(loss, message):
    fresh = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    with pytest.raises(ValueError) as error:  # noqa: PT011
        fresh.compile("sgd", loss)
    assert message in str(error.value)
    assert "Received: " in str(error.value)
    assert not fresh.compiled


def test_subnetwork_metrics_are_not_weighted():
    fresh = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    with pytest.raises(ValueError, match="`weighted_metrics` must not have metrics"):
        fresh.compile("sgd", LOSS, weighted_metrics=[SubnetworkAccuracy()])


def test_other_epochs_than_the_data_sets_are_refused(model):
    data = mixed_pair_dataset(
        images(4), np.arange(4), model.mask_sampler(), epochs=3, batch_size=4
    )
    message = "`epochs` must be the same as in the data set, 3. Received: epochs=2"
    with pytest.raises(ValueError, match=message):
        model.fit(data, epochs=2)


def test_plain_images_do_not_train_a_mimo_model(model):
    with pytest.raises(ValueError, match="`x` must be a mixed pair, a dict of"):
        model.fit(images(4), np.arange(4), verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (
            pairs(masks=one_hot_masks(4, 2, (4, 6))),
            np.zeros((4, 2), int),
            r"`masks` must have shape \(4, 2, 2, 3\)",
        ),
        (
            pairs(masks=0.4 * np.ones((4, 2, 2, 3))),
            np.zeros((4, 2), int),
            "`masks` must sum to 1 over the subnetworks. Received: sum=0.8",
        ),
        (
            pairs(masks=np.full((4, 2, 2, 3), np.nan)),
            np.zeros((4, 2), int),
            r"`masks` must be in \[0, 1\]. Received: range=\(nan, nan\)",
        ),
        (
            pairs(images=np.zeros((4, 3, 8, 12, 3), "float32")),
            np.zeros((4, 2), int),
            r"`images` must have shape \(B, M, H, W, C\) with \(M, H, W, C\) = "
            r"\(2, 8, 12, 3\). Received: shape=\(4, 3, 8, 12, 3\)",
        ),
        (
            pairs(images=np.full((4, 2, 8, 12, 3), np.inf)),
            np.zeros((4, 2), int),
            "`images` must be finite",
        ),
        ({"images": pairs()["images"]}, np.zeros((4, 2), int), "the keys `images`"),
        (
            pairs(),
            np.full((4, 2), 5),
            r"`y` must be in 0 to 4. Received: range=\(5, 5\)",
        ),
        (pairs(), np.zeros((3, 2), int), "must have the same length. Received: x=4"),
    ],
)
def test_bad_pairs_are_refused(model, x, y, message):
    with pytest.raises(ValueError, match=message):
        model.fit(x, y, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.evaluate(x, y, verbose=0)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (images(4, (8, 8, 3)), np.arange(4), r"`x` must have images of shape \(8, 12"),
        (images(4), np.array([0, 1, 2, 9]), "`y` must be in 0 to 4. Received: range="),
        (images(4), np.zeros(4), "`y` must be of an integer dtype"),
        (images(4), np.zeros((4, 3), "float32"), "`y` must have 5 classes"),
        (images(4), np.zeros(3, int), "`x` and `y` must have the same length"),
        (images(4)[..., 0], np.arange(4), r"`x` must have shape \(n, H, W, C\)"),
        (images(4) * np.nan, np.arange(4), "`x` must be finite"),
    ],
)
def test_bad_validation_data_are_refused(model, x, y, message):
    with pytest.raises(ValueError, match=message):
        model.evaluate(x, y, verbose=0)
    with pytest.raises(ValueError, match=message):
        model.fit(pairs(), np.zeros((4, 2), int), validation_data=(x, y), verbose=0)


def test_labels_out_of_range_of_a_data_set_are_refused(model):
    data = mixed_pair_dataset(
        images(4), np.arange(4) + 4, model.mask_sampler(), epochs=1, batch_size=4
    )
    with pytest.raises(ValueError, match=r"`y` must be in 0 to 4. Received: range="):
        model.fit(data, verbose=0)


def test_soft_labels_with_a_sparse_loss_are_refused(model):
    soft = np.full((4, 5), 0.2, "float32")
    with pytest.raises(ValueError, match="`loss` must take soft labels"):
        model.evaluate(images(4), soft, verbose=0)


def test_an_error_in_a_step_loses_no_weights(model):
    before = numpy(model(images(3)))
    with pytest.raises(ValueError, match="`x` must be a mixed pair"):
        model.fit(images(4), np.arange(4), verbose=0)
    soft = np.full((4, 5), 0.2, "float32")
    with pytest.raises(ValueError, match="`loss` must take soft labels"):
        model.evaluate(images(4), soft, verbose=0)
    np.testing.assert_array_equal(numpy(model(images(3))), before)
    with pytest.raises(ValueError, match=r"`x` must have images of shape \(8, 12, 3\)"):
        model.predict(images(4, (8, 8, 3)), verbose=0)
