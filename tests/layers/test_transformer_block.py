"""Transformer blocks and class-attention blocks."""

import numpy as np
import pytest

from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    TalkingHeadsAttention,
    TransformerBlock,
)
from tests.helpers import numpy, set_weights
from tests.layers.compiled import call
from tests.layers.references import layer_norm, mlp, noise, wide


@pytest.mark.parametrize("layer_scale", [None, 0.1])
def test_transformer_block_is_two_scaled_pre_norm_branches(layer_scale):
    block = TransformerBlock(
        TalkingHeadsAttention(2), mlp_ratio=1.5, layer_scale=layer_scale, epsilon=1e-3
    )
    grid = noise(2, 2, 3, 8)
    block.build(grid.shape)
    set_weights(block)

    def scaled(branch, layer):
        return branch if layer is None else branch * wide(layer.gain)

    normed = layer_norm(grid, block.attention_norm, 1e-3).astype("float32")
    branch = wide(call(block.attention, normed))
    expected = grid + scaled(branch, block.attention_scale)
    branch = mlp(layer_norm(expected, block.mlp_norm, 1e-3), block.mlp)
    expected = expected + scaled(branch, block.mlp_scale)
    np.testing.assert_allclose(numpy(call(block, grid)), expected, rtol=1e-4, atol=1e-5)
    assert block.mlp.hidden_width == 12


@pytest.mark.parametrize("layer_scale", [None, 0.1])
def test_class_attention_block_updates_the_token_by_two_branches(layer_scale):
    block = ClassAttentionBlock(
        ClassAttention(2), mlp_ratio=2.0, layer_scale=layer_scale, epsilon=1e-5
    )
    token, grid = noise(2, 8, seed=1), noise(2, 2, 3, 8)
    block.build(token.shape, grid.shape)
    set_weights(block)

    def scaled(branch, layer):
        return branch if layer is None else branch * wide(layer.gain)

    normed = (
        layer_norm(x, block.attention_norm, 1e-5).astype("float32")
        for x in (token, grid)
    )
    branch = wide(call(block.attention, *normed))
    expected = token + scaled(branch, block.attention_scale)
    branch = mlp(layer_norm(expected, block.mlp_norm, 1e-5), block.mlp)
    expected = expected + scaled(branch, block.mlp_scale)
    np.testing.assert_allclose(
        numpy(call(block, token, grid)), expected, rtol=1e-4, atol=1e-5
    )


def test_both_branches_of_a_block_are_dropped_apart():
    block = TransformerBlock(
        TalkingHeadsAttention(1), stochastic_depth_rate=0.5, seed=0
    )
    grid = np.ones((400, 1, 1, 1), "float32")
    block.build(grid.shape)
    for variable in block.trainable_variables:
        variable.assign(np.zeros(variable.shape))
    block.attention.projection.bias.assign([1.0])
    block.mlp.project.bias.assign([10.0])
    added = numpy(call(block, grid, training=True))[:, 0, 0, 0] - 1
    levels, counts = np.unique(np.round(added), return_counts=True)
    assert levels.tolist() == [0, 2, 20, 22]
    np.testing.assert_allclose(counts / 400, 0.25, atol=0.08)
    np.testing.assert_allclose(numpy(call(block, grid)), 12.0, rtol=1e-6)
