import re

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
from tests.layers.references import mlp, noise


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


def test_patch_embedding_without_bias_is_linear():
    layer = PatchEmbedding(width=3, patch_size=2, use_bias=False)
    x = images(2, (4, 6, 2))
    found = numpy(layer(x))
    assert [weight.name for weight in layer.weights] == ["kernel"]
    np.testing.assert_allclose(numpy(layer(3 * x)), 3 * found, rtol=1e-5, atol=1e-6)


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
