import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import SelfAttention
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

SEQUENCE, GRID = (2, 5, 12), (2, 2, 3, 12)


def built(shape, num_heads, **arguments):
    layer = SelfAttention(num_heads, **arguments)
    layer.build(shape)
    set_weights(layer)
    return layer


def split(layer, tokens):
    """Query, key and value `(B, num_heads, T, d / num_heads)`."""
    flat = tokens.astype("float64").reshape(len(tokens), -1, tokens.shape[-1])
    parts = np.split(dense(flat, layer.qkv), 3, axis=-1)
    return [split_heads(part, layer.num_heads) for part in parts]


def output_of(layer, weights, tokens):
    value = split(layer, tokens)[2]
    attended = merge_heads(wide(weights) @ value)
    return dense(attended, layer.projection).reshape(tokens.shape)


@pytest.mark.parametrize(
    ("shape", "num_heads", "qkv_bias"),
    [(SEQUENCE, 3, True), (SEQUENCE, 1, False), (GRID, 4, False), (GRID, 2, True)],
)
def test_output_and_weights_equal_numpy(shape, num_heads, qkv_bias):
    tokens = noise(*shape)
    layer = built(shape, num_heads, qkv_bias=qkv_bias)
    assert len(layer.trainable_variables) == (4 if qkv_bias else 3)
    query, key, _ = split(layer, tokens)
    expected = softmax(query @ key.swapaxes(2, 3) / np.sqrt(12 // num_heads))
    output, weights = compiled(lambda x: (layer(x), layer.attention(x)))(tokens)
    count = 5 if shape == SEQUENCE else 6
    assert weights.shape == (2, num_heads, count, count)
    np.testing.assert_allclose(numpy(weights), expected, atol=1e-5)
    np.testing.assert_allclose(numpy(weights).sum(axis=-1), 1.0, atol=1e-6)
    np.testing.assert_allclose(
        numpy(output), output_of(layer, expected, tokens), rtol=1e-5, atol=1e-5
    )
    # The weights that `attention` gives are those of the call.
    np.testing.assert_allclose(
        numpy(output), output_of(layer, weights, tokens), rtol=1e-5, atol=1e-5
    )


def test_grid_is_the_sequence_of_its_rows():
    grid = noise(*GRID)
    layer = built(GRID, 3)
    np.testing.assert_allclose(
        numpy(call(layer, grid)).reshape(2, 6, 12),
        numpy(call(layer, grid.reshape(2, 6, 12))),
        atol=1e-6,
    )


def test_output_dropout_keeps_or_drops_each_feature():
    tokens = noise(4, 8, 12)
    layer = built(tokens.shape, 2, dropout_rate=0.5, seed=0)
    inference, training = (
        numpy(y)
        for y in compiled(lambda x: (layer(x), layer(x, training=True)))(tokens)
    )
    kept = training != 0
    # 384 draws, hence 0.026 of deviation.
    assert 0.4 < kept.mean() < 0.6
    np.testing.assert_allclose(
        training[kept], 2 * inference[kept], rtol=1e-5, atol=1e-6
    )


def test_attention_dropout_keeps_or_drops_each_weight():
    count, rate = 16, 0.25
    # Tokens of an identity, passed on as values, make the weights the output.
    tokens = np.tile(np.eye(count, dtype="float32"), (4, 1, 1))
    layer = built(tokens.shape, 1, qkv_bias=False, attention_dropout_rate=rate, seed=0)
    kernel = numpy(layer.qkv.kernel).copy()
    kernel[:, 2 * count :] = np.eye(count)
    layer.qkv.kernel.assign(kernel)
    layer.projection.kernel.assign(np.eye(count))
    layer.projection.bias.assign(np.zeros(count))
    weights, inference, training = (
        numpy(y)
        for y in compiled(
            lambda x: (layer.attention(x), layer(x), layer(x, training=True))
        )(tokens)
    )
    np.testing.assert_allclose(inference, weights[:, 0], atol=1e-6)
    kept = training != 0
    # 1024 draws, hence 0.014 of deviation.
    assert 0.68 < kept.mean() < 0.82
    np.testing.assert_allclose(
        training[kept], inference[kept] / (1 - rate), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("rate", ["dropout_rate", "attention_dropout_rate"])
def test_dropout_comes_from_the_seed(rate):
    tokens = noise(*SEQUENCE)
    layers = [built(SEQUENCE, 2, seed=seed, **{rate: 0.5}) for seed in (7, 7, 8)]
    first, same, other = (
        numpy(y)
        for y in compiled(lambda x: [layer(x, training=True) for layer in layers])(
            tokens
        )
    )
    np.testing.assert_allclose(first, same, atol=1e-6)
    assert np.abs(first - other).max() > 0.05


def test_training_without_dropout_is_inference():
    tokens = noise(*SEQUENCE)
    layer = built(SEQUENCE, 2)
    inference, training = (
        numpy(y)
        for y in compiled(lambda x: (layer(x), layer(x, training=True)))(tokens)
    )
    np.testing.assert_array_equal(inference, training)


def test_every_parameter_but_the_key_bias_has_a_gradient():
    tokens = noise(*SEQUENCE)
    direction = noise(*SEQUENCE, seed=1)
    layer = built(SEQUENCE, 3)

    def projected(x):
        return ops.sum(ops.multiply(layer(x), direction))

    found, (of_tokens,) = gradients(projected, layer, [tokens])
    assert np.abs(of_tokens).max() > 1e-3
    for variable, gradient in zip(layer.trainable_variables, found, strict=True):
        assert np.all(np.isfinite(gradient)), variable.path
        thirds = np.split(gradient, 3, axis=-1)
        if variable is layer.qkv.bias:
            np.testing.assert_allclose(thirds.pop(1), 0.0, atol=1e-5)
        assert all(np.abs(third).max() > 1e-4 for third in thirds), variable.path


def test_softmax_of_large_scores_is_exact_in_half_precision():
    tokens = noise(1, 4, 8) * 100
    layer = built(tokens.shape, 1, dtype="float16", qkv_bias=False)
    kernel = np.concatenate([np.eye(8)] * 3, axis=1) / 10
    layer.qkv.kernel.assign(kernel)
    weights = numpy(compiled(layer.attention)(tokens))
    assert np.all(np.isfinite(weights))
    np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_heads": 0},
            "`num_heads` must be an integer of at least 1. Received: num_heads=0",
        ),
        (
            {"num_heads": 2.0},
            "`num_heads` must be an integer of at least 1. Received: num_heads=2.0",
        ),
        (
            {"num_heads": 2, "dropout_rate": 1.0},
            r"`dropout_rate` must be in \[0, 1\). Received: dropout_rate=1.0",
        ),
        (
            {"num_heads": 2, "attention_dropout_rate": -0.1},
            r"`attention_dropout_rate` must be in \[0, 1\). "
            "Received: attention_dropout_rate=-0.1",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        SelfAttention(**arguments)


@pytest.mark.parametrize("shape", [SEQUENCE, GRID])
def test_heads_must_divide_the_width(shape):
    with pytest.raises(
        ValueError,
        match=r"`num_heads` must divide the width\. Received: num_heads=5, width=12",
    ):
        SelfAttention(5)(noise(*shape))
