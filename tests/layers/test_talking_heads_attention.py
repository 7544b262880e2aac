import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import TalkingHeadsAttention
from tests.helpers import gradients, numpy, set_weights
from tests.layers.compiled import call, compiled
from tests.layers.references import (
    dense,
    merge_heads,
    noise,
    softmax,
    split_heads,
    wide,
)


def reference(layer, grid):
    batch, height, width, features = grid.shape
    heads = layer.num_heads
    tokens = grid.astype("float64").reshape(batch, height * width, features)
    query, key, value = (
        split_heads(x, heads) for x in np.split(dense(tokens, layer.qkv), 3, axis=-1)
    )
    scores = query @ key.swapaxes(2, 3) / np.sqrt(features // heads)
    weights = softmax(talk(scores, layer.score_heads_kernel, layer.score_heads_bias))
    weights = talk(weights, layer.weight_heads_kernel, layer.weight_heads_bias)
    return dense(merge_heads(weights @ value).reshape(grid.shape), layer.projection)


def talk(maps, kernel, bias):
    """Mixes the heads of each pair of tokens by a linear layer."""
    kernel, bias = wide(kernel), wide(bias)
    mixed = np.zeros_like(maps)
    for old in range(len(kernel)):
        for new in range(len(kernel)):
            mixed[:, new] += kernel[old, new] * maps[:, old]
    return mixed + bias[:, None, None]


@pytest.mark.parametrize(
    ("num_heads", "height", "width", "qkv_bias"),
    [(4, 3, 3, True), (2, 2, 5, False), (3, 1, 4, True)],
)
def test_output_equals_numpy(num_heads, height, width, qkv_bias):
    grid = noise(2, height, width, 12)
    layer = TalkingHeadsAttention(num_heads, qkv_bias=qkv_bias)
    layer.build(grid.shape)
    set_weights(layer)
    np.testing.assert_allclose(
        numpy(call(layer, grid)), reference(layer, grid), rtol=1e-5, atol=1e-5
    )


def test_every_parameter_has_a_gradient():
    grid = noise(2, 2, 3, 8)
    direction = noise(*grid.shape, seed=1)
    layer = TalkingHeadsAttention(2)
    layer.build(grid.shape)
    set_weights(layer)

    def projected(x):
        return ops.sum(ops.multiply(layer(x), direction))

    found, _ = gradients(projected, layer, [grid])
    for variable, gradient in zip(layer.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        if variable is layer.score_heads_bias:
            np.testing.assert_allclose(gradient, 0.0, atol=1e-5)
        else:
            assert np.abs(gradient).max() > 1e-4, variable.path


@pytest.mark.parametrize("rate", ["dropout_rate", "attention_dropout_rate"])
def test_dropout_acts_in_training_only(rate):
    grid = noise(2, 2, 3, 8)
    layer = TalkingHeadsAttention(2, seed=0, **{rate: 0.5})
    layer.build(grid.shape)
    set_weights(layer)
    inference, training = (
        numpy(x) for x in compiled(lambda x: (layer(x), layer(x, training=True)))(grid)
    )
    assert np.all(np.isfinite(training))
    assert np.abs(training - inference).max() > 0.05


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_heads": True},
            "`num_heads` must be an integer of at least 1. Received: num_heads=True",
        ),
        (
            {"num_heads": 4, "dropout_rate": 1.5},
            r"`dropout_rate` must be in \[0, 1\). Received: dropout_rate=1.5",
        ),
        (
            {"num_heads": 4, "attention_dropout_rate": -1},
            r"`attention_dropout_rate` must be in \[0, 1\). "
            "Received: attention_dropout_rate=-1",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        TalkingHeadsAttention(**arguments)


def test_heads_must_divide_the_width():
    with pytest.raises(
        ValueError,
        match=r"`num_heads` must divide the width\. Received: num_heads=3, width=8",
    ):
        TalkingHeadsAttention(3)(noise(2, 2, 3, 8))
