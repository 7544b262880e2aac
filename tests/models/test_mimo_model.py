"""Orientation, weights and routing: the model learns the right thing."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import (
    ConViT,
    MixViT,
    SingleNetwork,
    load,
    mixed_pair_dataset,
)
from keras_mixvit.masks import ConstantMasks, PatchCutMix
from keras_mixvit.metrics import NLL, SubnetworkAccuracy
from keras_mixvit.models import ensemble_logits
from tests.helpers import (
    EAGERLY,
    LOSS,
    gradients,
    images,
    numpy,
    one_hot_masks,
    set_weights,
    tiny_convit,
)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def pair(members, batch=4):
    x = np.stack([images(batch, seed=m) for m in range(members)], axis=1)
    return x, one_hot_masks(batch, members)


def model_of(members=2, **options):
    model = MixViT(tiny_convit(), 5, members, **options)
    set_weights(model)
    return model


@pytest.mark.parametrize("attribution", ["embedding", "encoding", None])
@pytest.mark.parametrize("position", ["late", "early"])
@pytest.mark.parametrize("member", [0, 2])
def test_one_hot_mask_gives_the_logits_of_that_image(attribution, position, member):
    model = model_of(3, source_attribution=attribution, attribution_position=position)
    x, _ = pair(3)
    masks = np.zeros((4, 3, 2, 3), "float32")
    masks[:, member] = 1
    mixed = numpy(model({"images": x, "masks": masks}))[:, member]
    alone = numpy(model.inference_network(x[:, member]))[:, member]
    np.testing.assert_allclose(mixed, alone, atol=1e-5)


def test_one_hot_mask_gives_no_gradient_to_the_other_images():
    model = model_of(3)
    x, _ = pair(3)
    masks = np.zeros((4, 3, 2, 3), "float32")
    masks[:, 1] = 1

    def loss(x):
        return ops.sum(model({"images": x, "masks": masks}) ** 2)

    _, (gradient,) = gradients(loss, model, [x])
    assert np.abs(gradient[:, 1]).max() > 1e-3
    assert np.abs(gradient[:, [0, 2]]).max() == 0


@pytest.mark.parametrize("member", [0, 1])
def test_without_attribution_a_subnetwork_is_a_single_network(member):
    model = model_of(source_attribution=None)
    single = SingleNetwork(model.backbone, 5)
    single.heads.kernel.assign(model.heads.kernel[member : member + 1])
    single.heads.bias.assign(model.heads.bias[member : member + 1])
    x, _ = pair(2)
    masks = np.zeros((4, 2, 2, 3), "float32")
    masks[:, member] = 1
    np.testing.assert_allclose(
        numpy(model({"images": x, "masks": masks}))[:, member],
        numpy(single(x[:, member])),
        atol=1e-5,
    )


def test_every_parameter_has_a_gradient():
    for attribution in ("embedding", "encoding"):
        model = model_of(source_attribution=attribution)
        x, masks = pair(2)

        def loss(x, model=model, masks=masks):
            return ops.sum(model({"images": x, "masks": masks}) ** 2)

        weights, _ = gradients(loss, model, [x])
        missing = [
            v.path
            for v, g in zip(model.trainable_variables, weights, strict=True)
            if g is None
        ]
        assert not missing


def cross_entropy(logits, labels):
    p = softmax(logits.astype("float64"))
    return -np.log(np.take_along_axis(p, labels[..., None], -1)[..., 0])


def test_loss_of_a_pair_is_equation_1():
    model = model_of()
    model.compile("sgd", LOSS, **EAGERLY)
    x, _ = pair(2)
    first = np.random.default_rng(3).random((4, 2, 3)).astype("float32")
    masks = np.stack([first, 1 - first], axis=1)
    y = np.array([[0, 1], [2, 3], [4, 0], [1, 1]])
    ratios = masks.mean(axis=(2, 3))
    losses = cross_entropy(numpy(model({"images": x, "masks": masks})), y)
    expected = np.mean(np.sum(ratios * losses, axis=1))
    loss = model.test_on_batch({"images": x, "masks": masks}, y)
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)


def test_larger_share_has_the_larger_weight_and_weights_sum_to_m():
    model = model_of(3)
    ratios = np.array([[0.5, 0.3, 0.2]], "float32")
    weights = numpy(model.loss_weights(ops.convert_to_tensor(ratios)))
    np.testing.assert_allclose(weights, [[1.5, 0.9, 0.6]], rtol=1e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_train_and_test_loss_of_one_batch_are_equal(soft):
    model = model_of()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True) if soft else LOSS
    model.compile(keras.optimizers.SGD(0.1), loss, **EAGERLY)
    x, masks = pair(2)
    y = np.array([[0, 1], [2, 3], [4, 0], [1, 1]])
    if soft:
        y = 0.8 * np.eye(5, dtype="float32")[y] + 0.04
    inputs = {"images": x, "masks": masks}
    tested = float(model.test_on_batch(inputs, y))
    model.reset_metrics()
    np.testing.assert_allclose(
        float(model.train_on_batch(inputs, y)), tested, rtol=1e-6
    )


@pytest.mark.parametrize("shape", [(4,), (4, 2)])
def test_sample_weights_of_the_user_multiply(shape):
    model = model_of()
    model.compile("sgd", LOSS, **EAGERLY)
    x, masks = pair(2)
    y = np.zeros((4, 2), int)
    weights = np.zeros(shape, "float32")
    weights[1] = 1.0
    loss = model.test_on_batch({"images": x, "masks": masks}, y, weights)
    logits = numpy(model({"images": x, "masks": masks}))
    ratios = masks.mean(axis=(2, 3))
    expected = np.sum((ratios * cross_entropy(logits, y))[1]) / 4
    np.testing.assert_allclose(float(loss), expected, rtol=1e-5)


@pytest.mark.parametrize("ensemble_of", ["logits", "probabilities"])
def test_evaluate_and_predict_are_about_the_ensemble(ensemble_of):
    model = model_of(ensemble_of=ensemble_of)
    metrics = [
        "accuracy",
        NLL(),
        SubnetworkAccuracy(),
        SubnetworkAccuracy(1, name="a1"),
    ]
    model.compile("sgd", LOSS, metrics=metrics, **EAGERLY)
    x, y = images(10), np.arange(10) % 5
    results = model.evaluate(x, y, batch_size=4, verbose=0, return_dict=True)
    members = numpy(model.inference_network(x))
    if ensemble_of == "logits":
        p = softmax(members.mean(axis=1))
    else:
        p = softmax(members).mean(axis=1)
    predicted = model.predict(x, batch_size=4, verbose=0)
    assert predicted.shape == (10, 5)
    np.testing.assert_allclose(softmax(predicted), p, atol=1e-5)
    nll = -np.log(p[np.arange(10), y]).mean()
    np.testing.assert_allclose(results["nll"], nll, rtol=1e-4)
    np.testing.assert_allclose(results["loss"], nll, rtol=1e-4)
    assert results["accuracy"] == pytest.approx(np.mean(p.argmax(1) == y), abs=1e-6)
    right = members.argmax(-1) == y[:, None]
    assert results["subnetwork_accuracy"] == pytest.approx(right.mean(), abs=1e-6)
    assert results["a1"] == pytest.approx(right[:, 1].mean(), abs=1e-6)


def test_evaluation_takes_integer_soft_and_column_labels_for_a_soft_loss():
    model = model_of()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, metrics=["accuracy", NLL()], **EAGERLY)
    x, y = images(6), np.arange(6) % 5
    forms = [y, y[:, None], np.eye(5, dtype="float32")[y]]
    results = [model.evaluate(x, form, verbose=0) for form in forms]
    np.testing.assert_allclose(results[1:], results[:1] * 2, rtol=1e-6)


def test_label_smoothing_touches_the_loss_and_not_the_nll():
    model = model_of()
    loss = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.2)
    model.compile("sgd", loss, metrics=[NLL()], **EAGERLY)
    x, y = images(6), np.arange(6) % 5
    results = model.evaluate(x, y, verbose=0, return_dict=True)
    logits = numpy(model(x))
    plain = cross_entropy(logits, y).mean()
    np.testing.assert_allclose(results["nll"], plain, rtol=1e-5)
    assert abs(results["loss"] - plain) > 1e-3


def test_ensemble_of_probabilities_is_stable_for_extreme_logits():
    logits = np.array([[[1000.0, 0.0], [0.0, 1000.0]]], "float32")
    result = numpy(ensemble_logits(logits, "probabilities"))
    np.testing.assert_allclose(result, np.log([[0.5, 0.5]]), atol=1e-4)


def test_call_keeps_its_structure_in_training():
    model = model_of()
    x, masks = pair(2)
    for training in (False, True):
        assert model(x[:, 0], training=training).shape == (4, 5)
        both = model({"images": x, "masks": masks}, training=training)
        assert both.shape == (4, 2, 5)


def test_fit_sets_the_epoch_and_does_not_shuffle_batches():
    class Recorder(PatchCutMix):
        seen = []  # noqa: RUF012

        def draw(self, rng, batch_size, image_size, progress=0.0):
            self.seen.append(progress)
            return super().draw(rng, batch_size, image_size, progress)

    model = model_of()
    model.compile("sgd", LOSS, **EAGERLY)
    data = mixed_pair_dataset(
        images(12), np.arange(12) % 5, Recorder(4), epochs=4, batch_size=4, workers=0
    )
    order = []
    batch = data.batch
    data.batch = lambda epoch, index: (
        order.append((epoch, index)) or batch(epoch, index)
    )
    model.fit(data, initial_epoch=2, verbose=0)
    # Keras may look at a batch or two before training.
    assert order[-6:] == [(2, 0), (2, 1), (2, 2), (3, 0), (3, 1), (3, 2)]
    assert Recorder.seen[-6:] == [0.75] * 3 + [1.0] * 3


def test_single_network_learns_the_same_from_images_and_pairs_of_one():
    losses = []
    for form in ("images", "pairs"):
        model = SingleNetwork(tiny_convit(), 5)
        set_weights(model)
        model.compile(keras.optimizers.SGD(0.1), LOSS, **EAGERLY)
        x, y = images(8), np.arange(8) % 5
        if form == "pairs":
            data = mixed_pair_dataset(
                x, y, ConstantMasks(4, 1), epochs=2, batch_size=8, shuffle=False
            )
            history = model.fit(data, verbose=0)
        else:
            history = model.fit(x, y, batch_size=8, epochs=2, shuffle=False, verbose=0)
        losses.append(history.history["loss"])
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-5)


def test_fixed_pairs_are_fitted_by_every_head():
    digits = load("digits")
    backbone = ConViT((8, 8, 1), 2, 48, 4, 1, 1, mean=4.9, std=6.0)
    model = MixViT(backbone, 10, source_attribution="encoding")
    metrics = [SubnetworkAccuracy(m, name=f"accuracy_{m}") for m in range(2)]
    model.compile(keras.optimizers.Adam(4e-3), LOSS, metrics=metrics)
    x = digits.images[:64].reshape(32, 2, 8, 8, 1)
    y = digits.labels[:64].reshape(32, 2)
    left = np.repeat([[1, 1, 0, 0]], 4, axis=0)
    first = np.stack([left, left.T, 1 - left, 1 - left.T] * 8)
    masks = np.stack([first, 1 - first], axis=1).astype("float32")
    inputs = {"images": x, "masks": masks}
    model.fit(inputs, y, batch_size=32, epochs=150, verbose=0)
    results = model.evaluate(inputs, y, batch_size=32, verbose=0, return_dict=True)
    assert results["accuracy_0"] > 0.99
    assert results["accuracy_1"] > 0.99
