import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import GatedPositionalAttention
from tests.helpers import gradients, numpy, set_weights
from tests.layers.compiled import compiled
from tests.layers.references import (
    dense,
    merge_heads,
    noise,
    softmax,
    split_heads,
    wide,
)


def positional_scores(layer, height, width):
    """Scores `(num_heads, N, N)` from the full tensor of offsets."""
    kernel = wide(layer.position_kernel)
    bias = wide(layer.position_bias)
    places = [(row, column) for row in range(height) for column in range(width)]
    offsets = np.zeros((len(places), len(places), 3))
    for i, (row_i, column_i) in enumerate(places):
        for j, (row_j, column_j) in enumerate(places):
            across, down = column_j - column_i, row_j - row_i
            offsets[i, j] = across, down, across**2 + down**2
    return (offsets @ kernel + bias).transpose(2, 0, 1)


def reference(layer, grid, copies=1):
    """Output and attention weights of the layer."""
    batch, height, width, features = grid.shape
    heads = layer.num_heads
    tokens = grid.astype("float64").reshape(batch, height * width, features)
    query_key = dense(tokens, layer.query_key)
    query = split_heads(query_key[..., :features], heads)
    key = split_heads(query_key[..., features:], heads)
    value = split_heads(dense(tokens, layer.value), heads)
    content = softmax(query @ key.swapaxes(2, 3) / np.sqrt(features // heads))
    scores = positional_scores(layer, height // copies, width)
    position = softmax(np.tile(scores, (1, copies, copies)))
    gate = 1 / (1 + np.exp(-wide(layer.gate)))[:, None, None]
    weights = (1 - gate) * content + gate * position
    weights = weights / weights.sum(axis=-1, keepdims=True)
    attended = merge_heads(weights @ value).reshape(grid.shape)
    return dense(attended, layer.projection), weights


def assert_equals_reference(layer, grid, copies=1):
    output, weights = compiled(lambda x: (layer(x), layer.attention(x)))(grid)
    expected_output, expected_weights = reference(layer, grid, copies)
    np.testing.assert_allclose(numpy(output), expected_output, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(numpy(weights), expected_weights, atol=1e-5)


def built(shape, num_heads, **arguments):
    layer = GatedPositionalAttention(num_heads, **arguments)
    layer.build(shape)
    return layer


@pytest.mark.parametrize(
    ("num_heads", "height", "width", "qkv_bias"),
    [(4, 3, 3, False), (9, 2, 5, True), (12, 4, 3, False), (5, 2, 2, True)],
)
def test_output_and_weights_equal_numpy(num_heads, height, width, qkv_bias):
    grid = noise(2, height, width, 40 if num_heads == 5 else 36)
    layer = built(grid.shape, num_heads, qkv_bias=qkv_bias)
    set_weights(layer)
    assert_equals_reference(layer, grid)


def test_positional_scores_of_stacked_grids_repeat_before_the_softmax():
    grid = noise(2, 3 * 2, 3, 8)
    layer = built(grid.shape, 4, grid_shape=(2, 3))
    set_weights(layer)
    assert_equals_reference(layer, grid, copies=3)


def test_single_and_stacked_grids_share_one_layer():
    layer = built((None, 2, 3, 8), 4, grid_shape=(2, 3))
    set_weights(layer)
    for copies in (1, 2):
        grid = noise(2, copies * 2, 3, 8)
        assert_equals_reference(layer, grid, copies)


@pytest.mark.parametrize("num_heads", [4, 5, 9, 12])
def test_local_heads_start_with_the_published_weights(num_heads):
    strength = 1.5
    layer = built(
        (2, 5, 5, 40 if num_heads == 5 else 36), num_heads, locality_strength=strength
    )
    side = {4: 2, 5: 2, 9: 3, 12: 3}[num_heads]
    center = (side - 1) / 2 if side % 2 == 0 else side // 2
    expected = np.zeros((3, side**2))
    for down in range(side):
        for across in range(side):
            expected[:, down + side * across] = (
                2 * (across - center) * strength,
                2 * (down - center) * strength,
                -strength,
            )
    kernel = numpy(layer.position_kernel)
    np.testing.assert_allclose(kernel[:, : side**2], expected, atol=1e-6)
    assert np.all(np.abs(kernel[:, side**2 :]) < 0.2)
    assert np.all(kernel[:, side**2 :] != 0)


@pytest.mark.parametrize("num_heads", [9, 12])
def test_local_heads_look_at_one_neighbour_each(num_heads):
    layer = built((2, 5, 6, 36), num_heads)
    attention = numpy(compiled(layer.positional_attention)()).reshape(
        num_heads, 5, 6, 5, 6
    )
    row, column = 2, 3
    found = [
        np.unravel_index(attention[head, row, column].argmax(), (5, 6))
        for head in range(9)
    ]
    stencil = [(down, across) for across in (-1, 0, 1) for down in (-1, 0, 1)]
    assert found == [(row + down, column + across) for down, across in stencil]


@pytest.mark.parametrize("num_heads", [4, 5])
def test_four_local_heads_look_at_the_corners_of_a_token(num_heads):
    layer = built((2, 5, 5, 40 if num_heads == 5 else 36), num_heads)
    attention = numpy(compiled(layer.positional_attention)()).reshape(
        num_heads, 5, 5, 5, 5
    )
    corners = [(-1, -1), (1, -1), (-1, 1), (1, 1)]
    for head, (down, across) in enumerate(corners):
        rows, columns = sorted((2, 2 + down)), sorted((2, 2 + across))
        weights = attention[head, 2, 2]
        block = weights[np.ix_(rows, columns)]
        np.testing.assert_allclose(block, weights.max(), rtol=1e-5)
        assert np.sum(weights > 0.99 * weights.max()) == 4


def test_values_start_as_the_tokens_and_gates_at_one():
    layer = built((2, 3, 3, 36), 9, qkv_bias=True)
    np.testing.assert_array_equal(numpy(layer.value.kernel), np.eye(36))
    np.testing.assert_array_equal(numpy(layer.value.bias), 0.0)
    np.testing.assert_array_equal(numpy(layer.gate), 1.0)
    np.testing.assert_array_equal(numpy(layer.position_bias), 0.0)
    np.testing.assert_array_equal(numpy(layer.projection.bias), 0.0)
    spread = numpy(layer.query_key.kernel).std()
    np.testing.assert_allclose(spread, 0.02, rtol=0.1)


@pytest.mark.parametrize(
    ("policy", "atol"), [("float32", 1e-5), ("mixed_bfloat16", 0.02)]
)
def test_attention_weights_sum_to_one(policy, atol):
    grid = noise(2, 6, 3, 8)
    layer = built(grid.shape, 4, grid_shape=(2, 3), dtype=policy)
    set_weights(layer)
    weights = layer.attention(grid)
    assert keras.backend.standardize_dtype(weights.dtype) == layer.compute_dtype
    for found in (
        weights,
        compiled(layer.attention)(grid),
        compiled(lambda: layer.positional_attention(3))(),
    ):
        sums = numpy(found).astype("float32").sum(axis=-1)
        np.testing.assert_allclose(sums, 1.0, atol=atol)


def test_every_parameter_has_a_gradient():
    grid = noise(2, 2, 3, 8)
    direction = noise(*grid.shape, seed=1)
    layer = built(grid.shape, 4, qkv_bias=True)
    set_weights(layer)

    def projected(x):
        return ops.sum(ops.multiply(layer(x), direction))

    found, (of_grid,) = gradients(projected, layer, [grid])
    assert np.abs(of_grid).max() > 1e-3
    for variable, gradient in zip(layer.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        if variable is layer.position_bias:
            np.testing.assert_allclose(gradient, 0.0, atol=1e-5)
        else:
            assert np.abs(gradient).max() > 1e-4, variable.path


@pytest.mark.parametrize("rate", ["dropout_rate", "attention_dropout_rate"])
def test_dropout_acts_in_training_only(rate):
    grid = noise(2, 2, 3, 8)
    layer = built(grid.shape, 4, seed=0, **{rate: 0.5})
    set_weights(layer)
    inference, training = (
        numpy(x) for x in compiled(lambda x: (layer(x), layer(x, training=True)))(grid)
    )
    assert np.abs(training - inference).max() > 0.05
    assert np.all(np.isfinite(training))
    if rate == "dropout_rate":
        kept = training != 0
        assert 0 < kept.mean() < 1
        np.testing.assert_allclose(
            training[kept], 2 * inference[kept], rtol=1e-4, atol=1e-5
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"num_heads": 2.5},
            "`num_heads` must be an integer of at least 1. Received: num_heads=2.5",
        ),
        (
            {"num_heads": 4, "locality_strength": 0},
            "`locality_strength` must be positive. Received: locality_strength=0",
        ),
        (
            {"num_heads": 4, "dropout_rate": -0.1},
            r"`dropout_rate` must be in \[0, 1\). Received: dropout_rate=-0.1",
        ),
        (
            {"num_heads": 4, "attention_dropout_rate": 1},
            r"`attention_dropout_rate` must be in \[0, 1\). "
            "Received: attention_dropout_rate=1",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        GatedPositionalAttention(**arguments)


def test_heads_must_divide_the_width():
    with pytest.raises(
        ValueError,
        match=r"`num_heads` must divide the width\. Received: num_heads=3, width=8",
    ):
        GatedPositionalAttention(3)(noise(2, 2, 3, 8))


@pytest.mark.parametrize("shape", [(2, 3, 3, 8), (2, 2, 6, 8)])
def test_grids_must_be_stacks_of_the_grid_shape(shape):
    layer = GatedPositionalAttention(4, grid_shape=(2, 3))
    message = (
        f"`grid` must stack grids of shape (2, 3) along its height. Received: {shape=}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(noise(*shape))


def test_transposed_grid_of_as_many_tokens_is_refused():
    layer = built((2, 2, 3, 8), 4)
    with pytest.raises(ValueError, match="`grid` must stack grids of shape"):
        layer(noise(2, 3, 2, 8))
