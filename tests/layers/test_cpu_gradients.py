"""What is written by hand, for JAX on a CPU above all, against what XLA derives."""

import math

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import GatedPositionalAttention
from keras_mixvit.layers._convolution import Convolution
from keras_mixvit.layers._cpu_gradients import gelu, is_jax_on_cpu, repeat_on_batch
from keras_mixvit.layers._layer_normalization import LayerNormalization
from tests.helpers import gradients as gradients_of
from tests.helpers import numpy

on_jax = pytest.mark.skipif(not is_jax_on_cpu(), reason="JAX on a CPU only")


def gradients(function, *values):
    """Gradients of a weighted sum of the outputs, so that no two weigh the same."""
    import jax

    def total(*values):
        outputs = function(*values)
        weights = np.cos(np.arange(np.prod(outputs.shape), dtype="float32"))
        return ops.sum(outputs * weights.reshape(outputs.shape))

    return jax.jit(jax.grad(total, argnums=tuple(range(len(values)))))(*values)


def close(found, expected, tolerance=1e-5):
    for x, y in zip(found, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=tolerance, atol=tolerance)


def test_gelu_and_its_gradient():
    values = np.linspace(-8, 8, 1001, dtype="float32")
    error_function = np.vectorize(math.erf)
    share = 0.5 * (1 + error_function(values.astype("float64") / math.sqrt(2)))
    density = np.exp(-0.5 * values.astype("float64") ** 2) / math.sqrt(2 * math.pi)
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((1001, 1001))
    for training in (True, False, None):
        _, (gradient,) = gradients_of(
            lambda x, training=training: ops.sum(gelu(x, training)), layer, [values]
        )
        outputs = numpy(gelu(ops.convert_to_tensor(values), training))
        np.testing.assert_allclose(outputs, values * share, atol=1e-6)
        np.testing.assert_allclose(gradient, share + values * density, atol=2e-6)


def test_gelu_in_half_precision_is_that_of_keras():
    values = ops.cast(np.linspace(-8, 8, 101, dtype="float32"), "bfloat16")
    exact = keras.activations.gelu(values, approximate=False)
    np.testing.assert_array_equal(
        numpy(ops.cast(gelu(values, True), "float32")),
        numpy(ops.cast(exact, "float32")),
    )


@on_jax
@pytest.mark.parametrize("shape", [(6, 16), (2, 3, 16), (2, 3, 4, 16)])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_layer_normalization_and_its_gradients(shape, dtype):
    rng = np.random.default_rng(0)
    values = (3 + 2 * rng.normal(size=shape)).astype("float32")
    weights = [rng.normal(size=16).astype("float32") for _ in range(2)]
    found = []
    for kind in (LayerNormalization, keras.layers.LayerNormalization):
        layer = kind(epsilon=1e-6, dtype=dtype)
        layer.build(shape)

        def apply(x, gain, offset, layer=layer):
            state = [gain, offset], []
            outputs, _ = layer.stateless_call(*state, ops.cast(x, layer.compute_dtype))
            return ops.cast(outputs, "float32")

        found.append([apply(values, *weights), *gradients(apply, values, *weights)])
    half = dtype != "float32"
    close(*found, tolerance=2e-2 if half else 2e-5)


@on_jax
def test_values_that_samples_share_get_the_sum_of_their_gradients():
    values = np.arange(24, dtype="float32").reshape(2, 3, 4)
    batch = np.zeros((5, 2, 3, 4), "float32")
    found = gradients(lambda x: repeat_on_batch(x, batch), values)
    plain = gradients(lambda x: ops.broadcast_to(x, batch.shape), values)
    assert repeat_on_batch(values, batch).shape == batch.shape
    close(found, plain)


@on_jax
def test_no_product_of_a_block_has_operands_of_more_than_two_axes():
    """XLA would transpose them for the gradient of the kernel."""
    import jax

    layer = GatedPositionalAttention(num_heads=2)
    layer.build((4, 4, 4, 8))
    weights = [variable.value for variable in layer.trainable_variables]
    grid = np.ones((4, 4, 4, 8), "float32")
    text = str(jax.make_jaxpr(layer.stateless_call)(weights, [], grid))
    shapes = [line for line in text.splitlines() if "dot_general" in line]
    assert shapes
    assert not any("f32[4,4,4," in line for line in shapes)


@on_jax
@pytest.mark.parametrize("padding", ["same", "valid"])
@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("kernel_size", [1, 2, 3])
@pytest.mark.parametrize("sides", [(8, 8), (7, 10)])
def test_convolution_and_its_gradients(kernel_size, stride, padding, sides):
    rng = np.random.default_rng(0)
    images = rng.normal(size=(3, *sides, 4)).astype("float32")
    kernel = rng.normal(size=(kernel_size, kernel_size, 4, 5)).astype("float32")
    found = []
    for kind in (Convolution, keras.layers.Conv2D):
        layer = kind(5, kernel_size, stride, padding, use_bias=False)
        layer.build(images.shape)

        def apply(images, kernel, layer=layer):
            return layer.stateless_call([kernel], [], images)[0]

        found.append([apply(images, kernel), *gradients(apply, images, kernel)])
    close(*found)


@on_jax
@pytest.mark.parametrize(
    "options",
    [{"use_bias": True, "activation": "relu"}, {"dilation_rate": 2}, {"groups": 2}],
)
def test_convolution_with_what_keras_adds(options):
    images = np.random.default_rng(0).normal(size=(2, 8, 8, 4)).astype("float32")
    keras.utils.set_random_seed(0)
    layers = [
        kind(6, 3, padding="same", **options)
        for kind in (Convolution, keras.layers.Conv2D)
    ]
    for layer in layers:
        layer.build(images.shape)
    values = [value + 0.5 for value in layers[1].get_weights()]
    for layer in layers:
        layer.set_weights(values)
    close(*[[layer(images)] for layer in layers])
