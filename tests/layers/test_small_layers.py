import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import (
    MLP,
    ClassAttention,
    ClassAttentionBlock,
    ClassToken,
    LayerScale,
    PatchEmbedding,
    PositionEmbedding,
    SubnetworkHeads,
    TalkingHeadsAttention,
    TransformerBlock,
)
from tests.helpers import images, numpy, set_weights
from tests.layers.compiled import call, compiled
from tests.layers.references import layer_norm, mlp, noise, wide


@pytest.mark.parametrize(
    ("shape", "patch_size"), [((8, 12, 3), 4), ((6, 4, 1), 2), ((10, 5, 5), 5)]
)
def test_patch_embedding_equals_a_strided_convolution(shape, patch_size):
    layer = PatchEmbedding(width=7, patch_size=patch_size)
    layer.build((None, *shape))
    set_weights(layer)
    x = images(2, shape)
    kernel = numpy(layer.kernel).reshape(patch_size, patch_size, shape[-1], 7)
    convolved = compiled(
        lambda pixels: ops.conv(pixels, kernel, patch_size, data_format="channels_last")
    )(x)
    output = numpy(call(layer, x))
    assert output.shape == (2, shape[0] // patch_size, shape[1] // patch_size, 7)
    np.testing.assert_allclose(
        output, numpy(convolved) + numpy(layer.bias), rtol=1e-5, atol=1e-5
    )


def test_patch_embedding_starts_as_a_torch_convolution():
    layer = PatchEmbedding(width=64, patch_size=4)
    layer.build((None, 8, 8, 3))
    bound = (4 * 4 * 3) ** -0.5
    for weights in (numpy(layer.kernel), numpy(layer.bias)):
        assert np.abs(weights).max() <= bound
        np.testing.assert_allclose(weights.std(), bound / 3**0.5, rtol=0.2)


def test_patch_embedding_takes_integer_images():
    layer = PatchEmbedding(width=3, patch_size=2)
    pixels = np.random.default_rng(0).integers(256, size=(2, 4, 4, 1)).astype("uint8")
    np.testing.assert_allclose(
        numpy(layer(pixels)), numpy(layer(pixels.astype("float32"))), rtol=1e-6
    )


def test_patches_must_tile_the_image():
    message = (
        "`patch_size` must divide the image size. "
        "Received: patch_size=4, image_size=(8, 10)"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        PatchEmbedding(width=3, patch_size=4)(images(1, (8, 10, 3)))


def test_layer_scale_multiplies_each_feature_by_its_gain():
    layer = LayerScale(0.25)
    x = noise(2, 3, 4)
    np.testing.assert_allclose(numpy(layer(x)), 0.25 * x, rtol=1e-6)
    layer.gain.assign([1.0, -2.0, 0.0, 3.0])
    np.testing.assert_allclose(numpy(layer(x)), x * [1, -2, 0, 3], rtol=1e-6)


def test_mlp_is_two_layers_around_the_exact_gelu():
    layer = MLP(hidden_width=9)
    x = noise(2, 3, 5)
    layer.build(x.shape)
    set_weights(layer, scale=1.0)
    np.testing.assert_allclose(
        numpy(call(layer, x)), mlp(x, layer), rtol=1e-5, atol=1e-5
    )


def test_mlp_drops_hidden_and_output_features_in_training():
    layer = MLP(hidden_width=4, dropout_rate=0.5, seed=0)
    x = np.ones((2000, 1), "float32")
    layer.build(x.shape)
    layer.expand.kernel.assign(np.full((1, 4), 100.0))
    layer.project.kernel.assign(np.full((4, 1), 0.01))
    output = numpy(call(layer, x, training=True))[:, 0]
    # Half of the outputs are 0, the others 2 · 2 · (kept hidden features).
    levels, counts = np.unique(np.round(output, 3), return_counts=True)
    np.testing.assert_allclose(levels, [0, 4, 8, 12, 16], rtol=1e-5)
    shares = np.array([1 + 16, 4, 6, 4, 1]) / 32
    np.testing.assert_allclose(counts / 2000, shares, atol=0.04)
    np.testing.assert_allclose(numpy(call(layer, x)), 4.0, rtol=1e-5)


def test_position_embedding_adds_its_table():
    layer = PositionEmbedding()
    grid = noise(2, 2, 3, 4)
    layer.build(grid.shape)
    np.testing.assert_allclose(numpy(layer.table).std(), 0.02, rtol=0.5)
    set_weights(layer)
    assert layer.table.shape == (2, 3, 4)
    np.testing.assert_allclose(numpy(layer(grid)), grid + numpy(layer.table), rtol=1e-5)


def test_position_embedding_drops_features_after_the_addition():
    layer = PositionEmbedding(dropout_rate=0.5, seed=0)
    zeros = np.zeros((200, 1, 2, 4), "float32")
    layer.build(zeros.shape)
    layer.table.assign(np.ones((1, 2, 4)))
    output = numpy(layer(zeros, training=True))
    assert set(np.unique(output)) == {0.0, 2.0}
    np.testing.assert_allclose(output.mean(), 1.0, atol=0.15)


def test_class_token_is_the_same_for_every_sample():
    layer = ClassToken()
    grid = noise(3, 2, 2, 5)
    token = numpy(layer(grid))
    assert token.shape == (3, 5)
    np.testing.assert_array_equal(token, np.repeat(numpy(layer.token), 3, axis=0))
    assert np.all(token[0] != 0)


def test_every_head_reads_shared_features():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    features = noise(2, 5)
    heads.build(features.shape)
    set_weights(heads)
    expected = np.stack(
        [features @ wide(heads.kernel)[m] + wide(heads.bias)[m] for m in range(3)],
        axis=1,
    )
    np.testing.assert_allclose(numpy(heads(features)), expected, rtol=1e-5, atol=1e-5)
    for m in range(3):
        single = numpy(heads(features, subnetwork=m))
        assert single.shape == (2, 1, 4)
        np.testing.assert_allclose(single[:, 0], expected[:, m], rtol=1e-5, atol=1e-5)


def test_head_m_reads_features_m():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    features = noise(2, 3, 5)
    heads.build(features.shape)
    set_weights(heads)
    expected = np.stack(
        [
            features[:, m] @ wide(heads.kernel)[m] + wide(heads.bias)[m]
            for m in range(3)
        ],
        axis=1,
    )
    np.testing.assert_allclose(numpy(heads(features)), expected, rtol=1e-5, atol=1e-5)
    single = numpy(heads(features[:, 1:2], subnetwork=1))
    np.testing.assert_allclose(single, expected[:, 1:2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_mixed_precision(policy):
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=2, dtype=policy)
    logits = heads(keras.Input((5,)))
    assert logits.dtype == "float32"
    assert logits.shape == (None, 2, 4)


@pytest.mark.parametrize("num_subnetworks", [1, 3])
def test_heads_start_as_the_initializer_draws_one_head(num_subnetworks):
    class Ramp(keras.initializers.Initializer):
        """Numbers each input, from 0, in every column."""

        def __call__(self, shape, dtype=None):
            features, columns = shape
            return ops.convert_to_tensor(
                np.arange(features)[:, None] + np.arange(columns) / 100, dtype
            )

    heads = SubnetworkHeads(4, num_subnetworks, initializer=Ramp())
    heads.build((None, 5))
    kernel = numpy(heads.kernel)
    assert kernel.shape == (num_subnetworks, 5, 4)
    np.testing.assert_array_equal(np.floor(kernel), np.arange(5)[:, None] + 0 * kernel)
    # No two heads share a draw.
    assert len(np.unique(kernel[:, 0])) == 4 * num_subnetworks
    np.testing.assert_array_equal(numpy(heads.bias), 0.0)


def test_heads_start_from_a_normal_of_two_hundredths_without_an_initializer():
    heads = SubnetworkHeads(50, 2)
    heads.build((None, 60))
    np.testing.assert_allclose(numpy(heads.kernel).std(), 0.02, rtol=0.05)


def test_every_parameter_of_heads_is_in_the_l2_loss():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3, l2=0.01)
    heads.build((None, 5))
    set_weights(heads)
    squares = np.sum(wide(heads.kernel) ** 2) + np.sum(wide(heads.bias) ** 2)
    loss = sum(float(numpy(term)) for term in heads.losses)
    np.testing.assert_allclose(loss, 0.01 * squares, rtol=1e-5)
    plain = SubnetworkHeads(4, 3)
    plain.build((None, 5))
    assert plain.losses == []


@pytest.mark.parametrize(
    "initializer", [None, "he_normal", keras.initializers.RandomNormal(stddev=0.01)]
)
def test_config_of_heads_keeps_initializer_and_l2(initializer):
    heads = SubnetworkHeads(4, 2, initializer, 0.01)
    serialised = keras.saving.serialize_keras_object(heads)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialised)))
    assert copy.get_config() == heads.get_config()
    assert type(copy.initializer) is type(heads.initializer)
    assert copy.l2 == 0.01


@pytest.mark.parametrize("subnetwork", [-1, 3])
def test_subnetwork_must_be_an_index(subnetwork):
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    message = f"`subnetwork` must be in 0 to 2. Received: subnetwork={subnetwork}"
    with pytest.raises(ValueError, match=re.escape(message)):
        heads(noise(2, 5), subnetwork=subnetwork)


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


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: PatchEmbedding(0, 4),
            "`width` must be an integer of at least 1. Received: width=0",
        ),
        (
            lambda: PatchEmbedding(8, 2.0),
            "`patch_size` must be an integer of at least 1. Received: patch_size=2.0",
        ),
        (
            lambda: LayerScale(0.0),
            "`initial_value` must be positive. Received: initial_value=0.0",
        ),
        (
            lambda: MLP(-1),
            "`hidden_width` must be an integer of at least 1. "
            "Received: hidden_width=-1",
        ),
        (
            lambda: MLP(4, 1.0),
            "`dropout_rate` must be in [0, 1). Received: dropout_rate=1.0",
        ),
        (
            lambda: PositionEmbedding(-0.5),
            "`dropout_rate` must be in [0, 1). Received: dropout_rate=-0.5",
        ),
        (
            lambda: SubnetworkHeads(0, 2),
            "`num_classes` must be an integer of at least 1. Received: num_classes=0",
        ),
        (
            lambda: SubnetworkHeads(10, 0),
            "`num_subnetworks` must be an integer of at least 1. "
            "Received: num_subnetworks=0",
        ),
        (
            lambda: SubnetworkHeads(10, 2, l2=-0.5),
            "`l2` must not be negative. Received: l2=-0.5",
        ),
        (
            lambda: TransformerBlock(TalkingHeadsAttention(1), mlp_ratio=0),
            "`mlp_ratio` must be positive. Received: mlp_ratio=0",
        ),
        (
            lambda: TransformerBlock(TalkingHeadsAttention(1), epsilon=-1e-6),
            "`epsilon` must be positive. Received: epsilon=-1e-06",
        ),
        (
            lambda: TransformerBlock(TalkingHeadsAttention(1), layer_scale=0),
            "`initial_value` must be positive. Received: initial_value=0",
        ),
        (
            lambda: ClassAttentionBlock(ClassAttention(1), stochastic_depth_rate=1),
            "`rate` must be in [0, 1). Received: rate=1",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()
