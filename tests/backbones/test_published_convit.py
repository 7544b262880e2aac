"""ConViT as published: its last blocks attend to class token and patches."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT
from keras_mixvit.backbones import ConViT
from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    SelfAttention,
    TransformerBlock,
)
from tests.helpers import gradients, images, numpy, set_weights, tiny_convit
from tests.layers.compiled import call, compiled
from tests.layers.references import (
    dense,
    layer_norm,
    merge_heads,
    mlp,
    noise,
    softmax,
    split_heads,
    wide,
)

GRID = noise(2, 2, 3, 16)


def published_convit(**changes):
    return tiny_convit(
        **{"trunk_attention": "self_attention", "num_blocks": 1, **changes}
    )


def class_blocks(backbone):
    return [
        backbone.trunk.get_layer(f"class_block_{i}")
        for i in range(backbone.num_class_blocks)
    ]


def query_key_value(tokens, attention):
    """Products of all tokens, whatever form the attention has."""
    if isinstance(attention, SelfAttention):
        return np.split(dense(tokens, attention.qkv), 3, axis=-1)
    products = []
    for name in ("query", "key", "value"):
        bias = getattr(attention, f"{name}_bias")
        products.append(
            tokens @ wide(getattr(attention, f"{name}_kernel"))
            + (0 if bias is None else wide(bias))
        )
    return products


def project(tokens, attention):
    if isinstance(attention, SelfAttention):
        return dense(tokens, attention.projection)
    kernel, bias = attention.projection_kernel, attention.projection_bias
    return tokens @ wide(kernel) + wide(bias)


def plain_block(tokens, block):
    """A transformer block `(B, T, d)` that updates every token."""
    heads = block.attention.num_heads
    normed = layer_norm(tokens, block.attention_norm, block.epsilon)
    query, key, value = (
        split_heads(x, heads) for x in query_key_value(normed, block.attention)
    )
    scores = query @ key.swapaxes(2, 3) / np.sqrt(tokens.shape[-1] // heads)
    branch = project(merge_heads(softmax(scores) @ value), block.attention)
    if block.attention_scale is not None:
        branch = branch * wide(block.attention_scale.gain)
    tokens = tokens + branch
    branch = mlp(layer_norm(tokens, block.mlp_norm, block.epsilon), block.mlp)
    if block.mlp_scale is not None:
        branch = branch * wide(block.mlp_scale.gain)
    return tokens + branch


def plain_trunk(backbone, grid):
    """All tokens through all blocks, and only then the class token."""
    batch, width = len(grid), grid.shape[-1]
    token = wide(backbone.trunk.get_layer("class_token").token)
    tokens = np.concatenate(
        [
            np.broadcast_to(token.reshape(1, 1, width), (batch, 1, width)),
            grid.astype("float64").reshape(batch, -1, width),
        ],
        axis=1,
    )
    for block in class_blocks(backbone):
        tokens = plain_block(tokens, block)
    return layer_norm(tokens, backbone.trunk.get_layer("norm"), backbone.epsilon)[:, 0]


def head(model, m, features):
    kernel, bias = (wide(w)[m] for w in model.heads.trainable_variables)
    return features @ kernel + bias


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"num_class_blocks": 1},
        {"num_class_blocks": 3, "qkv_bias": True, "layer_scale": 0.5, "epsilon": 0.1},
    ],
)
def test_trunk_equals_all_tokens_through_all_blocks(changes):
    backbone = published_convit(**changes)
    set_weights(backbone)
    np.testing.assert_allclose(
        numpy(call(backbone.trunk, GRID)),
        plain_trunk(backbone, GRID),
        rtol=1e-5,
        atol=1e-5,
    )


def test_one_class_block_is_the_class_attention_of_the_other_kind():
    published = published_convit(num_class_blocks=1)
    other = tiny_convit(num_blocks=1, num_class_blocks=1)
    for backbone in (published, other):
        set_weights(backbone)
    ours, theirs = ([v.path for v in b.trainable_variables] for b in (published, other))
    assert ours == theirs
    x = images(2)
    features = [numpy(y) for y in compiled(lambda x: (published(x), other(x)))(x)]
    np.testing.assert_allclose(*features, atol=1e-6)


def test_trunk_has_the_named_blocks():
    backbone = published_convit(num_blocks=2, num_class_blocks=3)
    *blocks, last = class_blocks(backbone)
    for block in blocks:
        assert type(block) is TransformerBlock
        assert type(block.attention) is SelfAttention
    assert type(last) is ClassAttentionBlock
    assert type(last.attention) is ClassAttention
    assert {"class_token", "norm"} < {layer.name for layer in backbone.trunk.layers}
    paths = {variable.path for variable in backbone.trunk.trainable_variables}
    assert "class_block_0/attention/qkv/kernel" in paths
    assert "class_block_2/attention/query_kernel" in paths
    assert len(paths) == len(backbone.trunk.trainable_variables)


@pytest.mark.parametrize("num_class_blocks", [1, 2])
def test_both_trunks_have_as_many_parameters(num_class_blocks):
    arguments = {"num_class_blocks": num_class_blocks, "qkv_bias": True}
    published = published_convit(**arguments)
    other = tiny_convit(num_blocks=1, **arguments)
    assert published.count_params() == other.count_params()


def test_rates_and_seeds_reach_every_block_of_the_trunk():
    backbone = published_convit(
        num_blocks=2,
        num_class_blocks=2,
        stochastic_depth_rate=0.3,
        dropout_rate=0.2,
        attention_dropout_rate=0.1,
        seed=5,
    )
    first, last = class_blocks(backbone)
    np.testing.assert_allclose(
        [first.stochastic_depth_rate, last.stochastic_depth_rate], [0.2, 0.3]
    )
    for block in (first, last):
        assert block.dropout_rate == block.attention.dropout_rate == 0.2
        assert block.attention.attention_dropout_rate == 0.1
    blocks = [backbone.body.get_layer(f"block_{i}") for i in range(2)] + [first, last]
    seeds = [s for block in blocks for s in (block.seed, block.attention.seed)]
    assert len(set(seeds)) == 8


def test_every_parameter_but_inert_ones_has_a_gradient():
    backbone = published_convit(qkv_bias=True)
    set_weights(backbone)
    x, direction = images(2), noise(2, 16, seed=1)

    def projected(pixels):
        return ops.sum(ops.multiply(backbone(pixels), direction))

    found, (of_images,) = gradients(projected, backbone, [x])
    assert np.abs(of_images).max() > 1e-4
    # The softmax ignores what shifts all scores of a query alike.
    inert = ("attention/position_bias", "attention/key_bias")
    for variable, gradient in zip(backbone.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
        if variable.path.endswith(inert):
            np.testing.assert_allclose(gradient, 0.0, atol=1e-4)
            continue
        thirds = np.split(gradient, 3, axis=-1) if "/qkv/" in variable.path else []
        if variable.path.endswith("qkv/bias"):
            np.testing.assert_allclose(thirds.pop(1), 0.0, atol=1e-4)
        for part in thirds or [gradient]:
            assert np.abs(part).max() > 1e-4, variable.path


def test_parallel_inference_runs_the_trunk_on_each_source():
    model = MixViT(published_convit(), 5, 3)
    set_weights(model)
    x = images(2)
    grid, logits = (
        numpy(y) for y in compiled(lambda x: (model.body(model.stem(x)), model(x)))(x)
    )
    sources = wide(model.attribution.embedding)
    expected = [
        head(model, m, plain_trunk(model.backbone, grid + sources[m])) for m in range(3)
    ]
    assert logits.shape == (2, 5)
    np.testing.assert_allclose(logits, np.mean(expected, axis=0), rtol=1e-4, atol=1e-4)


def test_all_tokens_reads_the_stacked_grids():
    model = MixViT(
        published_convit(),
        5,
        2,
        input_mixing="all_tokens",
        attribution_position="early",
    )
    set_weights(model)
    pairs = images(6).reshape(3, 2, 8, 12, 3)
    masks = np.full((3, 2, 2, 3), 0.5, "float32")
    backbone = model.backbone

    def stages(pairs, masks):
        grids = [
            backbone.apply_position(model.stem(pairs[:, m]))
            + model.attribution.embedding[m]
            for m in range(2)
        ]
        grid = backbone.apply_blocks(ops.concatenate(grids, axis=1))
        logits = model({"images": pairs, "masks": masks})
        return grid, logits, model(pairs[:, 0])

    grid, logits, ensemble = (numpy(y) for y in compiled(stages)(pairs, masks))
    features = plain_trunk(backbone, grid)
    expected = np.stack([head(model, m, features) for m in range(2)], axis=1)
    assert grid.shape == (3, 4, 3, 16)
    assert ensemble.shape == (3, 5)
    np.testing.assert_allclose(logits, expected, rtol=1e-4, atol=1e-4)


def test_saved_mixvit_gives_the_same_logits(tmp_path):
    model = MixViT(published_convit(), 5, source_attribution="encoding")
    set_weights(model)
    path = tmp_path / "model.keras"
    model.save(path)
    loaded = keras.saving.load_model(path)
    assert loaded.backbone.trunk_attention == "self_attention"
    assert loaded.get_config() == model.get_config()
    x = images(2)
    found, expected = (numpy(y) for y in compiled(lambda x: (loaded(x), model(x)))(x))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("trunk_attention", ["selfattention", None, True])
def test_unknown_trunk_attention_is_refused(trunk_attention):
    message = (
        "`trunk_attention` must be one of 'class_attention', 'self_attention'. "
        f"Received: {trunk_attention=}"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        ConViT(trunk_attention=trunk_attention)
