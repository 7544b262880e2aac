"""Attention maps give the output of the blocks that they belong to."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from keras_mixvit.layers import (
    ClassAttentionBlock,
    GatedPositionalAttention,
    TalkingHeadsAttention,
)
from keras_mixvit.models._attention_maps import attention_network
from tests.helpers import set_weights, tiny_cait, tiny_convit
from tests.layers.compiled import compiled
from tests.layers.references import (
    dense,
    layer_norm,
    merge_heads,
    mlp,
    split_heads,
    wide,
)
from tests.models.attention_models import ONE_BLOCK, X


def published(**changes):
    return tiny_convit(**{"trunk_attention": "self_attention", **changes})


def map_shapes(model):
    """Shapes of the maps of two images, of which nothing is computed."""
    network = attention_network(model, None)
    maps = network.compute_output_spec(keras.KerasTensor((2, 8, 12, 3)))
    return {
        name: (2, spec.shape[0] // 2, *spec.shape[1:]) for name, spec in maps.items()
    }


@pytest.mark.parametrize(
    ("position", "options", "of_body", "of_trunk"),
    [
        ("late", {}, 1, 3),
        ("late", {"inference": "sum"}, 1, 1),
        ("late", {"inference": "alternating"}, 1, 1),
        ("late", {"inference": 2}, 1, 1),
        ("late", {"source_attribution": None}, 1, 1),
        ("early", {}, 3, 3),
        ("early", {"inference": "sum"}, 1, 1),
        ("early", {"source_attribution": None, "inference": 1}, 1, 1),
    ],
)
def test_blocks_have_a_map_for_each_time_they_run(position, options, of_body, of_trunk):
    backbone = published(num_blocks=1, num_class_blocks=2)
    model = MixViT(backbone, 5, 3, attribution_position=position, **options)
    assert map_shapes(model) == {
        "block_0": (2, of_body, 4, 6, 6),
        "class_block_0": (2, of_trunk, 4, 7, 7),
        "class_block_1": (2, of_trunk, 4, 7),
    }


@pytest.mark.parametrize("position", ["late", "early"])
def test_all_tokens_have_maps_over_the_grids_of_all_sources(position):
    options = {"input_mixing": "all_tokens", "attribution_position": position}
    model = MixViT(published(num_blocks=1), 5, 3, **options)
    assert map_shapes(model) == {
        "block_0": (2, 1, 4, 18, 18),
        "class_block_0": (2, 1, 4, 19, 19),
        "class_block_1": (2, 1, 4, 19),
    }


def test_single_network_and_talking_heads_have_maps_of_one_pass():
    assert map_shapes(SingleNetwork(tiny_cait(), 5)) == {
        "block_0": (2, 1, 2, 6, 6),
        "block_1": (2, 1, 2, 6, 6),
        "class_block_0": (2, 1, 2, 7),
        "class_block_1": (2, 1, 2, 7),
    }


def value_heads(attention, normed):
    if isinstance(attention, GatedPositionalAttention):
        value = dense(normed, attention.value)
    else:
        value = np.split(dense(normed, attention.qkv), 3, axis=-1)[2]
    return split_heads(value, attention.num_heads)


def branch_of(block, weights, tokens, grid):
    """What the attention of a block adds, from its weights `(B, heads, ...)`."""
    attention = block.attention
    normed = layer_norm(tokens, block.attention_norm, block.epsilon)
    if not isinstance(block, ClassAttentionBlock):
        attended = merge_heads(weights @ value_heads(attention, normed))
        return dense(attended, attention.projection)
    all_tokens = np.concatenate([tokens[:, None], grid], axis=1)
    normed = layer_norm(all_tokens, block.attention_norm, block.epsilon)
    value = normed @ wide(attention.value_kernel)
    if attention.qkv_bias:
        value = value + wide(attention.value_bias)
    value = split_heads(value, attention.num_heads)
    attended = merge_heads(weights[:, :, None] @ value)[:, 0]
    return attended @ wide(attention.projection_kernel) + wide(
        attention.projection_bias
    )


def output_of(block, weights, tokens, grid=None):
    """Output of a block, from its weights and NumPy."""
    branch = branch_of(block, weights, tokens, grid)
    if block.attention_scale is not None:
        branch = branch * wide(block.attention_scale.gain)
    tokens = tokens + branch
    branch = mlp(layer_norm(tokens, block.mlp_norm, block.epsilon), block.mlp)
    if block.mlp_scale is not None:
        branch = branch * wide(block.mlp_scale.gain)
    return tokens + branch


def inputs_and_outputs(backbone):
    """Function from images to (input, output) of each block, as it really runs."""
    body, trunk = backbone.body, backbone.trunk
    self_attention = getattr(backbone, "trunk_attention", "") == "self_attention"

    def run(pixels):
        grid = body.get_layer("position")(backbone.stem(pixels))
        found = {}
        for i in range(backbone.num_blocks):
            output = body.get_layer(f"block_{i}")(grid)
            found[f"block_{i}"] = (grid, output)
            grid = output
        token = trunk.get_layer("class_token")(grid)
        batch, *_, width = grid.shape
        flat = keras.ops.reshape(grid, (batch, -1, width))
        for i in range(backbone.num_class_blocks):
            block = trunk.get_layer(f"class_block_{i}")
            if self_attention and not isinstance(block, ClassAttentionBlock):
                tokens = keras.ops.concatenate([token[:, None], flat], axis=1)
                output = block(tokens)
                found[block.name] = (tokens, output)
                token, flat = output[:, 0], output[:, 1:]
            else:
                rows = keras.ops.reshape(flat, grid.shape)
                output = block(token, rows)
                found[block.name] = (token, flat, output)
                token = output
        return found

    return run


@pytest.mark.parametrize(
    "make",
    [
        lambda: published(num_blocks=1, num_class_blocks=2),
        lambda: tiny_cait(**ONE_BLOCK),
    ],
    ids=["convit", "cait"],
)
def test_maps_give_the_output_of_every_block(make):
    backbone = make()
    model = SingleNetwork(backbone, 5)
    set_weights(model)
    maps = model.attention_maps(X)
    found = compiled(inputs_and_outputs(backbone))(X)
    assert list(maps) == list(found)
    for name, arrays in found.items():
        *inputs, output = (
            wide(array).reshape(5, -1, 16) if array.ndim == 4 else wide(array)
            for array in arrays
        )
        stage = backbone.trunk if name.startswith("class") else backbone.body
        block = stage.get_layer(name)
        assert maps[name].dtype == "float32"
        assert maps[name].shape[1] == 1
        weights = maps[name][:, 0].astype("float64")
        np.testing.assert_allclose(
            output_of(block, weights, *inputs), output, atol=1e-5, err_msg=name
        )
        # Heads that talk after the softmax need not sum to one.
        if not isinstance(block.attention, TalkingHeadsAttention):
            assert weights.min() >= 0
            np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-5)
