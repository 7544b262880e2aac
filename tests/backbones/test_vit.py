"""What is ViT's own: prefix tokens, pooling, the trunk. timm's outputs and gradients
are compared in `tests/convert/test_timm_vit.py`."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT, SingleNetwork, ViT, load_model
from keras_mixvit.backbones import Backbone
from keras_mixvit.convert import load_timm_weights, timm_weights
from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    PatchEmbedding,
    SelfAttention,
    TransformerBlock,
)
from tests.helpers import (
    EAGERLY,
    LOSS,
    gradients,
    images,
    numpy,
    set_weights,
    tiny_vit,
    unallocated,
)
from tests.layers.compiled import call, compiled
from tests.layers.references import noise

NO_PREFIX = {"pooling": "average", "class_token": False, "num_registers": 0}


def test_body_and_trunk_pass_a_grid_and_prefix_tokens():
    backbone = tiny_vit()
    grid, prefix = backbone.body(backbone.stem(images(2)))
    assert grid.shape == (2, 2, 3, 16)
    assert prefix.shape == (2, 3, 16)
    assert [x.name for x in backbone.trunk.inputs] == ["grid", "prefix"]
    assert backbone.trunk([grid, prefix]).shape == (2, 16)
    assert backbone.num_prefix_tokens == 3


def test_without_prefix_tokens_a_grid_passes_alone():
    backbone = tiny_vit(**NO_PREFIX)
    assert backbone.body.output.shape == (None, 2, 3, 16)
    assert backbone.trunk.input.shape == (None, 2, 3, 16)
    assert "prefix_tokens" not in [layer.name for layer in backbone.body.layers]


@pytest.mark.parametrize("pooling", ["token", "average"])
def test_trunk_has_the_named_blocks(pooling):
    backbone = tiny_vit(num_class_blocks=3, pooling=pooling)
    *blocks, last = (backbone.trunk.get_layer(f"class_block_{i}") for i in range(3))
    if pooling == "average":
        blocks.append(last)
    else:
        assert type(last) is ClassAttentionBlock
        assert type(last.attention) is ClassAttention
    blocks += [backbone.body.get_layer(f"block_{i}") for i in range(2)]
    for block in blocks:
        assert type(block) is TransformerBlock
        assert type(block.attention) is SelfAttention


def test_where_the_trunk_begins_changes_no_feature():
    first = tiny_vit(num_blocks=3, num_class_blocks=1)
    set_weights(first)
    x = images(2)
    expected = numpy(call(first, x))
    for blocks in ((2, 2), (1, 3)):
        other = tiny_vit(num_blocks=blocks[0], num_class_blocks=blocks[1])
        load_timm_weights(other, timm_weights(first))
        np.testing.assert_allclose(numpy(call(other, x)), expected, atol=1e-5)


def blocks_of(backbone):
    layers = [*backbone.body.layers, *backbone.trunk.layers]
    return [layer for layer in layers if "block_" in layer.name]


@pytest.mark.parametrize("after", [True, False, None])
def test_average_pooling_is_the_mean_of_the_patches(after):
    backbone = tiny_vit(pooling="average", norm_after_pooling=after)
    set_weights(backbone)
    grid, prefix = noise(2, 2, 3, 16), noise(2, 3, 16, seed=1)
    trunk = backbone.trunk
    norm = trunk.get_layer("norm")
    tokens = keras.Model(trunk.input, trunk.get_layer("class_block_1").output)

    def run(grid, prefix):
        patches = tokens([grid, prefix])[:, 3:]
        normed = norm(patches), norm(ops.mean(patches, axis=1))
        return trunk([grid, prefix]), ops.mean(normed[0], axis=1), normed[1]

    found, before, mean = (numpy(y) for y in compiled(run)(grid, prefix))
    expected, other = (before, mean) if after is False else (mean, before)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert np.abs(found - other).max() > 1e-2
    assert backbone.normalizes_mean is (after is not False)


def test_registers_and_class_token_reach_the_features():
    # Of images that are alike, too: each has a gradient of its own.
    backbone = tiny_vit()
    set_weights(backbone)
    direction = noise(2, 16, seed=1)

    def projected(pixels):
        return ops.sum(ops.multiply(backbone(pixels, training=True), direction))

    found, _ = gradients(projected, backbone, [images(2)])
    for variable, gradient in zip(backbone.trainable_variables, found, strict=True):
        assert np.all(np.isfinite(gradient)), variable.path
        if not variable.path.endswith("key_bias"):
            assert np.abs(gradient).max() > 1e-4, variable.path


def test_dropout_falls_on_patches_and_prefix_tokens_alike():
    backbone = tiny_vit(dropout_rate=0.5, seed=0)
    set_weights(backbone)

    def run(grid):
        position = backbone.body.get_layer("position")
        tokens = backbone.body.get_layer("prefix_tokens")
        return [
            (layer(grid, training=True), layer(grid, training=False))
            for layer in (position, tokens)
        ]

    for dropped, plain in compiled(run)(noise(50, 2, 3, 16)):
        dropped, plain = numpy(dropped), numpy(plain)
        kept = dropped != 0
        np.testing.assert_allclose(dropped[kept], 2 * plain[kept], rtol=1e-5)
        assert 0.4 < kept.mean() < 0.6
    seeds = [block.seed for block in blocks_of(backbone)]
    seeds += [block.attention.seed for block in blocks_of(backbone)]
    seeds += [backbone.body.get_layer(n).seed for n in ("position", "prefix_tokens")]
    assert len(set(seeds)) == len(seeds)


@pytest.mark.parametrize("rises", [True, False])
def test_stochastic_depth_rises_or_is_constant(rises):
    backbone = tiny_vit(stochastic_depth_rate=0.3, stochastic_depth_rises=rises)
    rates = [block.stochastic_depth_rate for block in blocks_of(backbone)]
    expected = [0.0, 0.1, 0.2, 0.3] if rises else [0.3] * 4
    np.testing.assert_allclose(rates, expected, atol=1e-12)


@pytest.mark.parametrize(
    "options", [{}, {"pooling": "average", "norm_after_pooling": False}, NO_PREFIX]
)
def test_a_saved_backbone_gives_the_same_features(options, tmp_path):
    backbone = tiny_vit(mlp_activation="swiglu", layer_scale=0.1, **options)
    set_weights(backbone)
    backbone.save(tmp_path / "vit.keras")
    loaded = keras.saving.load_model(tmp_path / "vit.keras")
    assert loaded.get_config() == backbone.get_config()
    x = images(2)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(backbone(x)), atol=1e-6)


@keras.saving.register_keras_serializable("tests")
class OneToken(Backbone):
    """A backbone of a user: one token beside the grid, which it sums up."""

    def __init__(self, image_shape, patch_size, name="one_token", dtype=None):
        super().__init__(image_shape, patch_size, name=name, dtype=dtype)
        self._kept = {"dense": keras.layers.Dense(6, name="dense")}
        self._connect()

    def make_stem(self, name="stem"):
        x = keras.Input(self.image_shape)
        name_of_embedding = name.replace("stem", "embedding")
        embedding = PatchEmbedding(6, self.patch_size, name=name_of_embedding)
        return keras.Model(x, embedding(x), name=name)

    def head_initializer(self):
        return None

    def apply_position(self, grid):
        return [grid, ops.zeros_like(grid[:, 0, :1])]

    def apply_blocks(self, grid, maps=None, between=None):
        grid, token = grid
        return [grid, token + ops.mean(grid, axis=(1, 2))[:, None]]

    def apply_trunk(self, grid, maps=None):
        grid, token = grid
        return self._kept["dense"](token[:, 0] + ops.mean(grid, axis=(1, 2)))


def test_a_backbone_of_a_user_may_pass_prefix_tokens(tmp_path):
    model = MixViT(OneToken((8, 12, 3), 4), 5, 3)
    set_weights(model)
    model.save(tmp_path / "model.keras")
    x = images(2)
    grid, token = model.body(model.stem(x))
    vectors = numpy(model.attribution.embedding)
    kernel, bias = (numpy(w) for w in model.heads.trainable_variables)
    expected = np.mean(
        [
            numpy(model.trunk([numpy(grid) + vectors[m], numpy(token)])) @ kernel[m]
            + bias[m]
            for m in range(3)
        ],
        axis=0,
    )
    np.testing.assert_allclose(numpy(model(x)), expected, atol=1e-5)
    loaded = load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(numpy(loaded(x)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"pooling": "max"},
            "`pooling` must be one of 'token', 'average', 'distilled'. "
            "Received: pooling='max'",
        ),
        (
            {"pooling": "distilled"},
            "`num_registers` must be 0 with `pooling` 'distilled'. "
            "Received: num_registers=2",
        ),
        (
            {"class_token": False},
            "`class_token` must be True, or `pooling` 'average'. "
            "Received: class_token=False, pooling='token'",
        ),
        (
            {"num_registers": -1},
            "`num_registers` must be an integer of at least 0. "
            "Received: num_registers=-1",
        ),
        (
            {"norm_after_pooling": "before"},
            "`norm_after_pooling` must be one of True, False, None. "
            "Received: norm_after_pooling='before'",
        ),
        (
            {"mlp_activation": "relu"},
            "`mlp_activation` must be one of 'gelu', 'quick_gelu', 'swiglu'. "
            "Received: mlp_activation='relu'",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        tiny_vit(**arguments)


def test_steps_of_training_lower_the_loss():
    options = {"dropout_rate": 0.1, "mlp_activation": "swiglu", "seed": 1}
    model = SingleNetwork(tiny_vit(num_blocks=1, num_class_blocks=1, **options), 5)
    set_weights(model, scale=0.2)
    model.compile(keras.optimizers.Adam(1e-2), LOSS, **EAGERLY)
    x, y = images(8), np.arange(8) % 5
    before = float(model.test_on_batch(x, y))
    for _ in range(5):
        model.train_on_batch(x, y)
    assert float(model.test_on_batch(x, y)) < before


def test_defaults_are_a_tiny_vit_of_small_images():
    backbone = unallocated(ViT)
    assert backbone.grid_shape == (8, 8)
    assert (backbone.num_blocks, backbone.num_class_blocks) == (10, 2)
