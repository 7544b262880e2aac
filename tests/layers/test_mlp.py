"""The gated MLPs; that of GELU is in `test_small_layers.py`."""

import re

import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import MLP, SelfAttention, TransformerBlock
from tests.helpers import gradients, numpy, set_weights
from tests.layers.compiled import call
from tests.layers.references import noise, wide


def gated(x, layer):
    """SwiGLU by NumPy, in float64."""
    hidden = x.astype("float64") @ wide(layer.expand.kernel) + wide(layer.expand.bias)
    gate, values = np.split(hidden, 2, axis=-1)
    hidden = gate / (1 + np.exp(-gate)) * values
    return hidden @ wide(layer.project.kernel) + wide(layer.project.bias)


@pytest.mark.parametrize("training", [True, False])
def test_swiglu_multiplies_two_halves(training):
    layer = MLP(hidden_width=6, activation="swiglu")
    x = noise(2, 3, 5)
    layer.build(x.shape)
    set_weights(layer, scale=1.0)
    assert layer.expand.kernel.shape == (5, 12)
    assert layer.project.kernel.shape == (6, 5)
    found = numpy(call(layer, x, training=training))
    np.testing.assert_allclose(found, gated(x, layer), rtol=1e-5, atol=1e-5)


def test_gradients_of_swiglu_are_differences():
    layer = MLP(hidden_width=3, activation="swiglu")
    x, direction = noise(4, 2), noise(4, 2, seed=1)
    layer.build(x.shape)
    set_weights(layer, scale=1.0)

    def projected(x):
        return ops.sum(ops.multiply(layer(x, training=True), direction))

    _, (found,) = gradients(projected, layer, [x])
    expected = np.zeros_like(x, "float64")
    for place in np.ndindex(*x.shape):
        step = np.zeros_like(x, "float64")
        step[place] = 1e-5
        change = gated_wide(x + step, layer) - gated_wide(x - step, layer)
        expected[place] = np.sum(change * direction) / 2e-5
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def gated_wide(x, layer):
    return gated(np.asarray(x, "float64"), layer)


@pytest.mark.parametrize("training", [True, False])
def test_quick_gelu_is_a_sigmoid_gate(training):
    layer = MLP(hidden_width=6, activation="quick_gelu")
    x = noise(2, 3, 5)
    layer.build(x.shape)
    set_weights(layer, scale=1.0)
    hidden = x.astype("float64") @ wide(layer.expand.kernel) + wide(layer.expand.bias)
    hidden = hidden / (1 + np.exp(-1.702 * hidden))
    expected = hidden @ wide(layer.project.kernel) + wide(layer.project.bias)
    found = numpy(call(layer, x, training=training))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)


def test_a_block_takes_the_activation():
    block = TransformerBlock(SelfAttention(2), mlp_ratio=1.5, mlp_activation="swiglu")
    block.build((None, 4, 8))
    assert block.mlp.activation == "swiglu"
    assert block.mlp.hidden_width == 12


@pytest.mark.parametrize(
    ("make", "name"),
    [
        (lambda: MLP(4, activation="silu"), "activation"),
        (
            lambda: TransformerBlock(SelfAttention(2), mlp_activation="silu"),
            "mlp_activation",
        ),
    ],
)
def test_another_activation_is_refused(make, name):
    choices = "'gelu', 'quick_gelu', 'swiglu'"
    message = f"`{name}` must be one of {choices}. Received: {name}='silu'"
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        make()
