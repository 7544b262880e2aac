"""Batch norm of PyTorch on permuted views, beside those of Keras."""

import keras
import numpy as np
import pytest

from keras_mixvit.layers import SynchronizedBatchNormalization
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
    norm = SynchronizedBatchNormalization()
    assert norm(images(2, 6, 6, 4), training=True).is_contiguous()
