"""Weights of classes and samples, against plain NumPy."""

import keras
import numpy as np
import pytest

from keras_mixvit import mixed_pair_dataset
from keras_mixvit.data import ManifoldMixing, PixelMixing
from keras_mixvit.masks import ConstantMasks, CutMixMasks
from keras_mixvit.models._class_weights import balanced
from tests.helpers import LOSS, numpy
from tests.models.recording import RecordingModel

SOFT = keras.losses.CategoricalCrossentropy(from_logits=True)
RNG = np.random.default_rng(0)
X = RNG.random((12, 4, 4, 1)).astype("float32")
Y = (np.arange(12) % 3 == 0).astype("int32")
SHARES = np.stack([0.3 + 0.4 * (Y == 0), 0.7 - 0.4 * (Y == 0)], -1).astype("float32")
CLASSES = {0: 0.25, 1: 8.0}
WEIGHTS = RNG.uniform(0.5, 2, 12).astype("float32")


def nll(logits, labels):
    """Loss of each prediction, for labels of either form."""
    z = logits.astype("float64")
    log_probabilities = z - np.log(np.exp(z).sum(-1, keepdims=True))
    if labels.ndim < z.ndim:
        labels = np.eye(z.shape[-1])[labels]
    return -(labels * log_probabilities).sum(-1)


def weight_of(labels, rank):
    """The weights of labels by hand."""
    w = np.array([CLASSES[0], CLASSES[1]])
    return labels @ w if labels.ndim > rank else w[labels]


def first_loss(model, x, y, **options):
    """The loss of a first step of one batch, before anything was learned."""
    return model.fit(x, y, epochs=1, verbose=0, **options).history["loss"][0]


def compiled(loss, members=2):
    model = RecordingModel(members)
    model.compile(keras.optimizers.SGD(0.0), loss, jit_compile=False)
    return model


@pytest.mark.parametrize("soft", [False, True])
def test_class_weights_of_mixed_pairs(soft):
    model = compiled(SOFT if soft else LOSS)
    data = mixed_pair_dataset(
        X, SHARES if soft else Y, CutMixMasks(patch_size=2), epochs=1, batch_size=12
    )
    inputs, labels = data[0]
    logits = numpy(model(inputs))
    by_mask = 2 * inputs["masks"].mean(axis=(2, 3))
    losses = by_mask * nll(logits, labels)
    plain = model.fit(data, verbose=0).history["loss"][0]
    np.testing.assert_allclose(plain, losses.mean(), rtol=1e-5)
    found = model.fit(data, class_weight=CLASSES, verbose=0).history["loss"][0]
    expected = (losses * weight_of(labels, 2)).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    # A later training without them goes without them.
    again = model.fit(data, verbose=0).history["loss"][0]
    np.testing.assert_allclose(again, plain, rtol=1e-6)
    # Arrays of mixed pairs too, in one step, and with sample weights.
    expected = (losses * weight_of(labels, 2) * WEIGHTS[:, None]).mean()
    for weights in (WEIGHTS, WEIGHTS[:, None], np.stack([WEIGHTS] * 2, 1)):
        options = {"sample_weight": weights, "class_weight": CLASSES}
        found = first_loss(model, inputs, labels, batch_size=12, **options)
        np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = model.train_on_batch(inputs, labels, WEIGHTS, CLASSES)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = model.train_on_batch(inputs, labels)
    np.testing.assert_allclose(found, losses.mean(), rtol=1e-5)


def test_one_class_that_weighs_a_thousand_times_as_much():
    model = compiled(LOSS)
    y = np.ones(12, "int32")
    data = mixed_pair_dataset(X, y, ConstantMasks(2, 2), epochs=1, batch_size=12)
    once = model.fit(data, verbose=0).history["loss"][0]
    found = model.fit(data, class_weight={0: 1.0, 1: 1000.0}, verbose=0)
    np.testing.assert_allclose(found.history["loss"][0], 1000 * once, rtol=1e-5)


@pytest.mark.parametrize("form", ["integer", "column", "soft"])
def test_class_weights_of_a_single_network(form):
    model = compiled(SOFT if form == "soft" else LOSS, members=1)
    labels = {"integer": Y, "column": Y[:, None], "soft": SHARES}[form]
    values = nll(numpy(model(X)), SHARES if form == "soft" else Y)
    weights = weight_of(SHARES if form == "soft" else Y, 1)
    options = {"batch_size": 12, "class_weight": CLASSES}
    found = first_loss(model, X, labels, **options)
    np.testing.assert_allclose(found, (weights * values).mean(), rtol=1e-5)
    for sample_weight in (WEIGHTS, WEIGHTS[:, None]):
        found = first_loss(model, X, labels, sample_weight=sample_weight, **options)
        expected = (weights * values * WEIGHTS).mean()
        np.testing.assert_allclose(found, expected, rtol=1e-5)
        found = first_loss(model, X, labels, sample_weight=sample_weight, batch_size=12)
        np.testing.assert_allclose(found, (values * WEIGHTS).mean(), rtol=1e-5)


def test_class_weights_do_not_weigh_validation():
    model = compiled(LOSS)
    data = mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)
    expected = model.evaluate(X, Y, verbose=0)
    history = model.fit(
        data, class_weight=CLASSES, validation_data=(X, Y), verbose=0
    ).history
    np.testing.assert_allclose(history["val_loss"][0], expected, rtol=1e-6)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), expected, rtol=1e-6)


def test_balanced_weights_are_those_of_scikit_learn():
    # compute_class_weight("balanced", classes=[0, 1, 2, 3], y=[0, 0, 0, 1, 3, 3])
    # gives 6 / (3 * count) for the three classes there are; K counts all four.
    y = np.array([0, 0, 0, 1, 3, 3])
    np.testing.assert_allclose(balanced(y, 4), [0.5, 1.5, 1.0, 0.75])
    np.testing.assert_allclose(balanced(np.eye(4)[y], 4), [0.5, 1.5, 1.0, 0.75])
    pairs = np.stack([y, y[::-1]], axis=1)
    np.testing.assert_allclose(balanced(pairs, 4, rank=2), [0.5, 1.5, 1.0, 0.75])


@pytest.mark.parametrize("soft", [False, True])
def test_balanced_classes_count_alike(soft):
    labels = SHARES if soft else Y
    model = compiled(SOFT if soft else LOSS)
    data = mixed_pair_dataset(X, labels, ConstantMasks(2, 2), epochs=1, batch_size=12)
    inputs, drawn = data[0]
    found = model.fit(data, class_weight="balanced", verbose=0).history["loss"][0]
    counts = (labels if soft else np.eye(2)[Y]).sum(axis=0)
    weights = 12 / (2 * counts)
    by_class = drawn @ weights if soft else weights[drawn]
    expected = (by_class * nll(numpy(model(inputs)), drawn)).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    found = model.train_on_batch(inputs, drawn, class_weight="balanced")
    np.testing.assert_allclose(found, expected, rtol=1e-5)


FORM = r'`class_weight` must be None, "balanced", or a dict from classes 0 to 1 to fi'


@pytest.mark.parametrize(
    "class_weight",
    ["equal", [1, 2], {2: 1.0}, {-1: 1.0}, {0: -1.0}, {0: np.nan}, {"0": 1.0}],
)
@pytest.mark.parametrize("method", ["fit", "train_on_batch"])
def test_other_class_weights_are_refused(method, class_weight):
    data = mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)
    given = (data,) if method == "fit" else data[0]
    with pytest.raises(ValueError, match=FORM + ".* Received: class_weight="):
        getattr(compiled(LOSS), method)(*given, class_weight=class_weight)


def test_balanced_weights_need_all_labels():
    def batches():
        yield mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)[0]

    text = r"`class_weight` must be a dict if `x` does not give .* x='generator'"
    with pytest.raises(ValueError, match=text):
        compiled(LOSS).fit(batches(), class_weight="balanced")


MIXINGS = {
    "none": {},
    "pixels of the data": {"pixel_mixing": PixelMixing("cutmix", probability=1.0)},
    "pixels of the batch": {
        "pixel_mixing": PixelMixing("mixup", probability=1.0, partners="batch")
    },
}


@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("name", MIXINGS)
def test_weights_of_images_follow_their_labels(name, soft):
    mixing = MIXINGS[name]
    labels = SHARES if soft else Y
    classes = None if soft or not mixing else 2
    options = {"epochs": 2, "batch_size": 6, "num_classes": classes, **mixing}
    masks = CutMixMasks(patch_size=2)
    plain = mixed_pair_dataset(X, labels, masks, **options)
    # Labels that are the weights are mixed in the same way.
    scaled = WEIGHTS / WEIGHTS.max()
    probe = np.stack([scaled, 1 - scaled], -1)
    marked = mixed_pair_dataset(X, probe, masks, **options)
    data = mixed_pair_dataset(X, labels, masks, sample_weight=scaled, **options)
    for epoch in range(2):
        inputs, found, weights = data.batch(epoch, 1)
        expected_inputs, expected = plain.batch(epoch, 1)
        np.testing.assert_array_equal(inputs["images"], expected_inputs["images"])
        np.testing.assert_allclose(found, expected, atol=1e-6)
        assert found.dtype == expected.dtype
        np.testing.assert_allclose(weights, marked.batch(epoch, 1)[1][..., 0], 1e-5)
    parts = [data.shard(i, 2).batch(1, 1)[2] for i in range(2)]
    np.testing.assert_array_equal(np.concatenate(parts), data.batch(1, 1)[2])


def test_weights_of_mixed_features_are_mixed():
    options = {"epochs": 1, "batch_size": 12, "num_classes": 2}
    options["manifold_mixing"] = ManifoldMixing()
    masks = ConstantMasks(2, 1)
    data = mixed_pair_dataset(X, Y, masks, sample_weight=WEIGHTS, **options)
    inputs, _, weights = data[0]
    share = inputs["shares"].prod(axis=1)[:, None]
    own = mixed_pair_dataset(X, np.stack([WEIGHTS / 4, 1 - WEIGHTS / 4], -1), masks,
                             **{**options, "num_classes": None})  # fmt: skip
    np.testing.assert_allclose(weights, 4 * own[0][1][..., 0], rtol=1e-5)
    assert share.min() < 1


def test_a_model_weighs_images_by_their_weights():
    model = compiled(LOSS)
    masks = CutMixMasks(patch_size=2)
    options = {"epochs": 1, "batch_size": 12, "sample_weight": WEIGHTS}
    data = mixed_pair_dataset(X, Y, masks, **options)
    inputs, labels, weights = data[0]
    by_mask = 2 * inputs["masks"].mean(axis=(2, 3))
    losses = by_mask * weights * nll(numpy(model(inputs)), labels)
    found = model.fit(data, verbose=0).history["loss"][0]
    np.testing.assert_allclose(found, losses.mean(), rtol=1e-5)
    found = model.fit(data, class_weight=CLASSES, verbose=0).history["loss"][0]
    expected = (losses * weight_of(labels, 2)).mean()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(
        model.evaluate(data, verbose=0), losses.mean(), rtol=1e-5
    )


@pytest.mark.parametrize(
    ("weights", "text"),
    [
        (WEIGHTS[:5], r"`sample_weight` must be 12 numbers, .* shape=\(5,\)"),
        (WEIGHTS[:, None], r"`sample_weight` must be 12 numbers, .* shape=\(12, 1\)"),
        (-WEIGHTS, r"`sample_weight` must be finite and not negative\. Received"),
        (WEIGHTS * np.nan, r"`sample_weight` must be finite and not negative\. Rec"),
        (["a"] * 12, r"`sample_weight` must be 12 numbers, .* dtype='<U1'"),
    ],
)
def test_other_weights_of_images_are_refused(weights, text):
    with pytest.raises(ValueError, match=text):
        mixed_pair_dataset(
            X, Y, ConstantMasks(2, 2), epochs=1, batch_size=4, sample_weight=weights
        )


@pytest.mark.parametrize(
    "method", ["fit", "evaluate", "train_on_batch", "test_on_batch"]
)
def test_sample_weights_of_another_shape_are_refused(method):
    data = mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)
    inputs, labels = data[0]
    weights = np.ones((12, 3), "float32")
    text = r"`sample_weight` must have shape \(B,\), \(B, 1\) or \(B, M\)\. Received"
    with pytest.raises(ValueError, match=text):
        getattr(compiled(LOSS), method)(inputs, labels, sample_weight=weights)
    text = r"`sample_weight` must have shape \(B,\) or \(B, 1\)\. Received: shape="
    with pytest.raises(ValueError, match=text):
        getattr(compiled(LOSS, 1), method)(X, Y, sample_weight=weights)
    for wrong, text in (
        (WEIGHTS[:5], "`sample_weight` and `x` must have the same length. Received: "),
        (WEIGHTS * np.nan, "`sample_weight` must be finite numbers. Received: dtype"),
    ):
        with pytest.raises(ValueError, match=text):
            getattr(compiled(LOSS), method)(inputs, labels, sample_weight=wrong)


def test_weights_of_validation_have_an_effect():
    model = compiled(LOSS)
    data = mixed_pair_dataset(X, Y, ConstantMasks(2, 2), epochs=1, batch_size=12)
    expected = (WEIGHTS * nll(numpy(model(X)), Y)).mean()
    history = model.fit(data, validation_data=(X, Y, WEIGHTS), verbose=0).history
    np.testing.assert_allclose(history["val_loss"][0], expected, rtol=1e-5)
    found = model.test_on_batch(X, Y, sample_weight=WEIGHTS)
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    logits = model.predict_on_batch(X)
    np.testing.assert_allclose(logits, numpy(model(X)), rtol=1e-5)
