"""Manifold MixUp: where features are mixed, and on which data it learns."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import load_model
from keras_mixvit.backbones import WideResNet
from keras_mixvit.data import ManifoldMixing, mixed_pair_dataset
from keras_mixvit.models import ManifoldMixUp, SingleNetwork
from tests.helpers import EAGERLY, LOSS, images, numpy, set_weights, tiny_convit
from tests.layers.compiled import call, compiled

SOFT = keras.losses.CategoricalCrossentropy(from_logits=True)
SHAPE = (8, 8, 1)
PARTNERS = np.array([2, 0, 3, 1], "int32")


def wide_resnet(**options):
    return WideResNet(SHAPE, depth=10, widening=1, **options)


def convit(**options):
    return tiny_convit(image_shape=SHAPE, num_class_blocks=1, **options)


def pair(shares, shape=SHAPE, grid=(8, 8)):
    return {
        "images": images(4, (1, *shape)),
        "masks": np.ones((4, 1, *grid), "float32"),
        "partners": PARTNERS,
        "shares": np.asarray(shares, "float32"),
    }


def shares_at(place, share, places=3):
    """Shares of a batch that is mixed at one place, each sample with its own."""
    shares = np.ones((4, places), "float32")
    shares[:, place] = share
    return shares


@pytest.fixture(scope="module")
def model():
    model = ManifoldMixUp(wide_resnet(mean=0.4, std=0.3), 5)
    set_weights(model)
    return model


@pytest.fixture(scope="module")
def mixed_logits(model):
    """Logits for images and shares, one program for all tests."""
    run = compiled(lambda *values: model(dict(zip(pair([[1]]), values, strict=True))))
    return lambda shares: numpy(run(*pair(shares).values()))


@pytest.fixture(scope="module")
def logits_by_hand(model):
    """Logits of a mixture of images, of features after group 0, and after 1."""

    def run(x, share):
        def mixed(features):
            features = ops.convert_to_tensor(features)
            shape = (4, *[1] * (len(features.shape) - 1))
            shares = ops.reshape(ops.convert_to_tensor(share), shape)
            order = [features[partner : partner + 1] for partner in PARTNERS.tolist()]
            return shares * features + (1 - shares) * ops.concatenate(order)

        found = []
        for place in range(3):
            grid = model.stem(mixed(x) if place == 0 else x)
            for group in range(3):
                grid = model.body.get_layer(f"group_{group}_block_0")(grid)
                if place == group + 1:
                    grid = mixed(grid)
            found.append(model.heads(model.trunk(grid)))
        return found

    share = np.array([0.9, 0.3, 0.6, 0.2], "float32")
    x = pair([[1]])["images"][:, 0]
    return share, [numpy(logits) for logits in compiled(run)(x, share)]


@pytest.mark.parametrize("place", [0, 1, 2])
def test_features_are_mixed_at_the_place_that_was_drawn_and_nowhere_else(
    place, mixed_logits, logits_by_hand
):
    share, expected = logits_by_hand
    found = mixed_logits(shares_at(place, share))
    assert found.shape == (4, 1, 5)
    np.testing.assert_allclose(found, expected[place], atol=2e-5)
    for other in {0, 1, 2} - {place}:
        assert np.abs(found - expected[other]).max() > 1e-3


def test_inference_is_that_of_the_single_network(model, mixed_logits):
    single = SingleNetwork(wide_resnet(mean=0.4, std=0.3), 5)
    single.set_weights(model.get_weights())
    x = pair([[1]])["images"][:, 0]
    expected = numpy(call(single, x))
    np.testing.assert_allclose(numpy(call(model, x)), expected, atol=1e-6)
    # With a share of 1 a sample keeps to itself.
    alone = mixed_logits(shares_at(1, 1.0))
    np.testing.assert_allclose(alone[:, 0], expected, atol=2e-5)


def test_a_share_of_0_is_the_partner(mixed_logits):
    alone = mixed_logits(shares_at(0, 1.0))
    for place in range(3):
        found = mixed_logits(shares_at(place, 0.0))
        np.testing.assert_allclose(found, alone[PARTNERS], atol=2e-5)


def data_of(model, mixing, **changes):
    x = images(12, model.image_shape)
    options = {"epochs": 1, "batch_size": 4, "num_classes": 5, **changes}
    return mixed_pair_dataset(
        x, np.arange(12) % 5, model.mask_sampler(), manifold_mixing=mixing, **options
    )


def test_a_transformer_learns_the_mixed_labels_of_its_data_set():
    model = ManifoldMixUp(convit(num_blocks=1), 5, num_layers=2)
    set_weights(model)
    # A rate of zero keeps the network with which the loss is computed by hand.
    model.compile(keras.optimizers.SGD(0.0), SOFT, metrics=["accuracy"], **EAGERLY)
    data = data_of(model, ManifoldMixing(2))
    history = model.fit(data, verbose=0).history
    run = compiled(model)
    losses = []
    for index in range(3):
        inputs, labels = data[index]
        logits = numpy(run(inputs)).astype("float64")
        log_norm = np.log(np.exp(logits).sum(axis=-1, keepdims=True))
        losses.append(-np.mean(np.sum(labels * (logits - log_norm), axis=-1)))
    np.testing.assert_allclose(history["loss"], [np.mean(losses)], rtol=1e-5)
    assert 0 <= history["accuracy"][0] <= 1


def refused(model, data, text):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        model.fit(data, verbose=0)
    assert str(error.value) == text


def test_a_data_set_without_manifold_mixing_is_refused(model):
    text = (
        "`x` must be made with `manifold_mixing=ManifoldMixing(num_layers=3)` for this "
        "model. Received: manifold_mixing=None"
    )
    refused(model, data_of(model, None), text)


def test_a_data_set_with_another_number_of_places_is_refused(model):
    text = (
        "`x` must be made with `manifold_mixing=ManifoldMixing(num_layers=3)` for this "
        "model. Received: manifold_mixing=ManifoldMixing(num_layers=2, alpha=2.0)"
    )
    refused(model, data_of(model, ManifoldMixing(2)), text)


def test_the_single_network_refuses_its_data_set():
    model = SingleNetwork(wide_resnet(), 5)
    text = (
        "`x` must be made without `manifold_mixing` for this model. "
        "Received: manifold_mixing=ManifoldMixing(num_layers=3, alpha=2.0)"
    )
    refused(model, data_of(model, ManifoldMixing()), text)


def test_plain_images_are_refused_for_training():
    model = ManifoldMixUp(convit(num_blocks=1), 5, num_layers=2)
    model.compile("sgd", LOSS, **EAGERLY)
    assert not model.learns_from_images
    with pytest.raises(ValueError, match="`x` must be a mixed pair, a dict of"):
        model.fit(images(4, SHAPE), np.arange(4), verbose=0)


@pytest.mark.parametrize(
    ("make", "num_layers", "text"),
    [
        (
            wide_resnet,
            5,
            r"`num_layers` must not exceed 4, which is 1 plus the number of groups of "
            r"the backbone\. Received: num_layers=5, groups=3",
        ),
        (
            lambda: convit(num_blocks=1),
            3,
            r"`num_layers` must not exceed 2, which is 1 plus the number of groups of "
            r"the backbone\. Received: num_layers=3, groups=1",
        ),
        (
            lambda: convit(num_blocks=1),
            1,
            r"`num_layers` must be an integer of at least 2\. Received: num_layers=1",
        ),
        (
            lambda: convit(num_blocks=1),
            2.0,
            r"`num_layers` must be an integer of at least 2\. "
            r"Received: num_layers=2\.0",
        ),
    ],
)
def test_layers_that_the_backbone_does_not_have_are_refused(make, num_layers, text):
    with pytest.raises(ValueError, match=text):
        ManifoldMixUp(make(), 5, num_layers=num_layers)


def test_there_may_be_a_place_after_every_group():
    model = ManifoldMixUp(convit(num_blocks=2), 5)
    assert model.training_network.input["shares"].shape == (None, 3)
    assert model.training_network.output.shape == (None, 1, 5)


def test_a_saved_model_is_the_same_model(tmp_path):
    model = ManifoldMixUp(convit(num_blocks=1), 5, num_layers=2, name="mine")
    set_weights(model)
    model.save(tmp_path / "model.keras")
    again = load_model(tmp_path / "model.keras")
    assert type(again) is ManifoldMixUp
    assert again.get_config() == model.get_config()
    assert (again.num_layers, again.name) == (2, "mine")
    inputs = pair(shares_at(1, 0.4, places=2), grid=model.backbone.grid_shape)
    np.testing.assert_allclose(
        numpy(call(again, inputs)), numpy(call(model, inputs)), atol=1e-6
    )


def test_arrays_without_partners_or_with_impossible_ones_are_refused():
    model = ManifoldMixUp(WideResNet((8, 8, 1), depth=10, widening=1), 3)
    model.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    x = {
        "images": np.zeros((4, 1, 8, 8, 1), "float32"),
        "masks": np.ones((4, 1, 8, 8), "float32"),
    }
    y = np.eye(3, dtype="float32")[np.zeros((4, 1), int)]
    message = "`x` must have the keys `images`, `masks`, `partners`, `shares`."
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(x, y, verbose=0)
    x |= {"partners": np.array([0, 1, 2, 4]), "shares": np.ones((4, 3), "float32")}
    message = "`partners` must be in 0 to 3. Received: range=(0, 4)"
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(x, y, verbose=0)
