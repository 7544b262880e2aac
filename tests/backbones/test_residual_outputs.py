"""Outputs, training and first weights of the residual networks."""

import math

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, SingleNetwork
from keras_mixvit.backbones import PreActResNet, WideResNet
from keras_mixvit.convert._mixmo import load_mixmo_weights, mixmo_weights
from tests.backbones.residual_cases import (
    BATCH,
    CASES,
    NUM_CLASSES,
    TRAINED,
)
from tests.backbones.residual_cases import images as drawn_images
from tests.backbones.residual_networks import (
    EVERY_NETWORK,
    NETWORKS,
    SMALL,
    kernels,
    loaded_network,
    stored,
    weights,
)
from tests.helpers import numpy, tiny_convit
from tests.layers.compiled import call, compiled


def assert_close(found, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


@pytest.mark.parametrize("name", CASES)
def test_logits_are_those_of_plain_pytorch(name):
    model = loaded_network(name)
    logits = numpy(call(model.inference_network, drawn_images(CASES[name])))
    assert logits.shape == (BATCH, CASES[name].members, NUM_CLASSES)
    assert_close(logits, stored(name)["logits"])


def test_training_and_its_running_statistics_are_those_of_plain_pytorch():
    case = CASES[TRAINED]
    # Its statistics move: a network of its own.
    model = SingleNetwork(NETWORKS[case.network](case.image_shape), NUM_CLASSES)
    load_mixmo_weights(model, weights(TRAINED))
    statistics = model.non_trainable_variables

    def train(pixels):
        logits = model.inference_network(pixels, training=True)
        return logits, [variable.value for variable in statistics]

    logits, moved = compiled(train)(drawn_images(case))
    assert_close(numpy(logits), stored(TRAINED)["training"])
    for variable, value in zip(statistics, moved, strict=True):
        variable.assign(value)
    found = mixmo_weights(model)
    expected = {
        key.removeprefix("after/"): array
        for key, array in stored(TRAINED).items()
        if key.startswith("after/")
    }
    assert set(expected) == {key for key in found if "running" in key}
    for key, array in expected.items():
        np.testing.assert_allclose(found[key], array, rtol=1e-5, atol=1e-5, err_msg=key)


def assert_he_normal(values, fan_in, key):
    """Requires draws of a normal that is cut at two deviations."""
    std = (2 / fan_in) ** 0.5
    tolerance = max(0.02, 5 / np.sqrt(2 * values.size))
    if keras.config.backend() == "jax":
        # The tests' own draws there may be cut by clipping, which is wider.
        tolerance += 0.1
    np.testing.assert_allclose(values.std(), std, rtol=tolerance, err_msg=key)
    sizes = np.abs(values) / (2 * std / 0.87962566)
    # On PyTorch Keras redraws three times and no more: 4 in a million are left.
    assert np.sum(sizes > 1 + 1e-6) <= 2 + 2e-5 * values.size, key
    if values.size > 1000:
        # A uniform distribution would end at 0.76.
        assert sizes.max() > 0.9, key


@EVERY_NETWORK
def test_weights_start_as_published(network):
    side = {"wide": 8, "preact": 16, "resnet": 32}[network]
    # Images of other channels than those of other tests, for fan-ins of 5.
    convolutions, norms = kernels(NETWORKS[network]((side, side, 5)))
    blocks, shortcuts = {"wide": (3, 2), "preact": (8, 3), "resnet": (8, 3)}[network]
    assert len(convolutions) == 1 + 2 * blocks + shortcuts
    for key, values in convolutions.items():
        assert_he_normal(values, math.prod(values.shape[:-1]), key)
    last = {"wide": 1, "preact": 0, "resnet": 1 + shortcuts}[network]
    assert len(norms) == 2 * blocks + last
    for norm in norms:
        for variable, value in (
            (norm.gamma, 1.0),
            (norm.beta, 0.0),
            (norm.moving_mean, 0.0),
            (norm.moving_variance, 1.0),
        ):
            np.testing.assert_array_equal(numpy(variable), value, variable.path)


def test_heads_start_as_published():
    # Twice 200 classes: a fan-in that counted members would be seen.
    wide = MixMo(WideResNet(SMALL, depth=10, widening=1), 200)
    assert_he_normal(numpy(wide.heads.kernel), 64, "heads")
    preact = MixMo(PreActResNet(SMALL), 20)
    np.testing.assert_allclose(numpy(preact.heads.kernel).std(), 0.01, rtol=0.05)
    transformer = MixMo(tiny_convit(num_blocks=1, num_class_blocks=1), 200)
    np.testing.assert_allclose(numpy(transformer.heads.kernel).std(), 0.02, rtol=0.05)
    for model in (wide, preact, transformer):
        np.testing.assert_array_equal(numpy(model.heads.bias), 0.0)
    first, second = numpy(wide.heads.kernel)
    assert np.abs(first - second).max() > 0.1
