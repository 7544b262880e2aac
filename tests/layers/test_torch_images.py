"""Convolution and batch norm of PyTorch on permuted views, beside those of Keras."""

import keras
import numpy as np
import pytest

from keras_mixvit.layers import PreActivationBlock, SynchronizedBatchNormalization
from keras_mixvit.layers._convolution import Convolution
from tests.helpers import numpy

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "torch", reason="the views are those of PyTorch"
)


def values_and_gradients(layer, inputs, **options):
    """Outputs, and gradients of inputs and variables for uneven weights."""
    import torch

    inputs = torch.tensor(inputs, requires_grad=True)
    outputs = layer(inputs, **options)
    weights = torch.arange(outputs.numel()).reshape(outputs.shape) % 7 - 3.0
    (outputs.float() * weights).sum().backward()
    variables = [variable.value.grad for variable in layer.trainable_variables]
    return [numpy(outputs)] + [numpy(g) for g in (inputs.grad, *variables)]


def images(*shape):
    return np.random.default_rng(0).normal(2, 3, shape).astype("float32")


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_size": 3},
        {"kernel_size": 1, "strides": 2},
        {"kernel_size": 3, "strides": 2},
        {"kernel_size": 3, "strides": 2, "padding": "valid"},
        {"kernel_size": (2, 5), "strides": (1, 3)},
        {"kernel_size": 3, "dilation_rate": 2},
        {"kernel_size": 3, "groups": 2, "use_bias": True, "activation": "relu"},
        {"kernel_size": 3, "data_format": "channels_first"},
        {"kernel_size": 3, "dtype": "mixed_bfloat16"},
    ],
)
@pytest.mark.parametrize("sides", [(8, 8), (7, 10), (3, 5)])
def test_a_convolution_is_that_of_keras(options, sides):
    options = {"padding": "same", "data_format": "channels_last", **options}
    first = options["data_format"] == "channels_first"
    # PyTorch 2.13 on one thread ends the process for 1 x 1 convolutions of stride 2
    # from 4 to 6 channels in channels-last memory.
    inputs = images(2, 16, *sides) if first else images(2, *sides, 16)
    ours, plain = Convolution(32, **options), keras.layers.Conv2D(32, **options)
    ours.build(inputs.shape)
    plain.build(inputs.shape)
    plain.set_weights(ours.get_weights())
    pairs = zip(
        values_and_gradients(ours, inputs),
        values_and_gradients(plain, inputs),
        strict=True,
    )
    rtol = 2e-2 if "dtype" in options else 1e-5
    for found, expected in pairs:
        np.testing.assert_allclose(found, expected, rtol, 1e-4)


@pytest.mark.parametrize("shape", [(6, 3), (6, 5, 3), (4, 5, 6, 3), (2, 2, 3, 4, 3)])
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"axis": 1},
        {"axis": 0},
        {"center": False},
        {"scale": False},
        {"dtype": "mixed_bfloat16"},
        {"dtype": "float64"},
    ],
)
def test_a_batch_norm_is_that_of_keras(shape, training, options):
    inputs = images(*shape).astype(
        "float64" if options.get("dtype") == "float64" else "float32"
    )
    pair = SynchronizedBatchNormalization, keras.layers.BatchNormalization
    results, states = [], []
    for made in pair:
        layer = made(momentum=0.9, epsilon=1e-5, **options)
        layer.build(shape)
        layer.moving_mean.assign(layer.moving_mean + 1.5)
        layer.moving_variance.assign(layer.moving_variance * 3)
        results.append(values_and_gradients(layer, inputs, training=training))
        states.append([numpy(layer.moving_mean), numpy(layer.moving_variance)])
    rtol = 2e-2 if "bfloat16" in options.get("dtype", "") else 1e-5
    for found, expected in zip(*results, strict=True):
        np.testing.assert_allclose(found, expected, rtol, 10 * rtol)
    for found, expected in zip(*states, strict=True):
        np.testing.assert_allclose(found, expected, min(rtol, 1e-5), 1e-6)


def test_one_value_per_channel_has_no_variance():
    layer = SynchronizedBatchNormalization(momentum=0.9)
    np.testing.assert_array_equal(numpy(layer(images(1, 1, 1, 3), training=True)), 0)
    np.testing.assert_allclose(numpy(layer.moving_variance), 0.9)


def test_a_frozen_batch_norm_keeps_its_statistics():
    layer = SynchronizedBatchNormalization(trainable=False, epsilon=0.0)
    inputs = images(4, 5, 6, 3)
    np.testing.assert_allclose(numpy(layer(inputs, training=True)), inputs)
    np.testing.assert_array_equal(numpy(layer.moving_mean), 0)


def test_grids_stay_where_they_are():
    layer = Convolution(16, 3, padding="same", use_bias=False)
    outputs = layer(images(2, 6, 6, 16))
    assert outputs.is_contiguous()
    norm = SynchronizedBatchNormalization()
    assert norm(outputs, training=True).is_contiguous()


def test_a_hook_keeps_the_outputs_of_a_norm():
    """A block does not overwrite what a hook of the user may hold."""
    block = PreActivationBlock(16)
    batch = images(2, 4, 4, 16)
    block(batch)
    held = []
    norm = block.norms[0]
    norm.register_forward_hook(lambda layer, inputs, outputs: held.append(outputs))
    block(batch, training=True)
    assert float(held[0].min()) < 0
