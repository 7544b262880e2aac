"""Mixed precision against float32 with the same weights."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import (
    MLP,
    BinarizedPatchCutMix,
    ClassAttention,
    ClassAttentionBlock,
    ClassToken,
    GatedPositionalAttention,
    LayerScale,
    PatchEmbedding,
    PositionEmbedding,
    RandomPatchCutMix,
    SelfAttention,
    SourceEmbedding,
    SourceEncoding,
    StochasticDepth,
    SubnetworkHeads,
    TalkingHeadsAttention,
    TransformerBlock,
)
from tests.helpers import (
    gradients,
    images,
    numpy,
    one_hot_masks,
    set_weights,
    tiny_cait,
    tiny_convit,
)
from tests.layers.compiled import compiled
from tests.layers.references import noise

GRID, TOKEN = noise(3, 2, 3, 16), noise(3, 16, seed=1)
MASKS = one_hot_masks(3, 2)
PAIRS = images(6).reshape(3, 2, 8, 12, 3)
ONE_BLOCK = {"num_blocks": 1, "num_class_blocks": 1}
POLICIES = pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
TRAINED = {
    "class_attention": (lambda: ClassAttention(2), [TOKEN, GRID]),
    "class_attention_block": (
        lambda: ClassAttentionBlock(ClassAttention(2), 2.0, 0.1),
        [TOKEN, GRID],
    ),
    "class_token": (ClassToken, [GRID]),
    "gated_positional_attention": (lambda: GatedPositionalAttention(4), [GRID]),
    "layer_scale": (lambda: LayerScale(0.1), [GRID]),
    "mlp": (lambda: MLP(32), [GRID]),
    "patch_embedding": (lambda: PatchEmbedding(16, 4), [images(3)]),
    "position_embedding": (PositionEmbedding, [GRID]),
    "self_attention": (lambda: SelfAttention(2), [GRID]),
    "source_embedding": (lambda: SourceEmbedding(2), [GRID, MASKS]),
    "source_encoding": (lambda: SourceEncoding(2), [GRID, MASKS]),
    "subnetwork_heads": (lambda: SubnetworkHeads(5, 2), [TOKEN]),
    "talking_heads_attention": (lambda: TalkingHeadsAttention(2), [GRID]),
    "transformer_block": (
        lambda: TransformerBlock(TalkingHeadsAttention(2), 2.0, 0.1),
        [GRID],
    ),
    "convit": (lambda: tiny_convit(**ONE_BLOCK), [images(3)]),
    "cait": (lambda: tiny_cait(**ONE_BLOCK), [images(3)]),
}
TAKES_TRAINING = (
    "class_attention",
    "class_attention_block",
    "gated_positional_attention",
    "mlp",
    "position_embedding",
    "self_attention",
    "talking_heads_attention",
    "transformer_block",
    "convit",
    "cait",
)
# The backbones hold every other layer.
HOLD_ALL_LAYERS = (
    "self_attention",
    "source_embedding",
    "source_encoding",
    "subnetwork_heads",
    "convit",
    "cait",
)
FLOAT32_OUTPUTS = ("subnetwork_heads",)


def built(name, policy):
    keras.config.set_dtype_policy(policy)
    make, inputs = TRAINED[name]
    layer = make()
    if not layer.built:
        layer.build(*(x.shape for x in inputs))
    set_weights(layer, scale=0.2)
    return layer


def relative_difference(found, expected):
    return np.linalg.norm(found - expected) / np.linalg.norm(expected)


@pytest.fixture(scope="module", params=TRAINED)
def case(request):
    """Name, inputs and float32 output of a layer, made once for all policies."""
    name = request.param
    inputs = TRAINED[name][1]
    return name, inputs, numpy(compiled(built(name, "float32"))(*inputs))


@POLICIES
def test_layer_keeps_its_function_in_mixed_precision(case, policy):
    name, inputs, expected = case
    layer = built(name, policy)
    modes = [{"training": False}, {"training": True}]
    if name not in TAKES_TRAINING:
        modes = [{}]
    outputs = compiled(lambda *x: [layer(*x, **mode) for mode in modes])(*inputs)
    for output in outputs:
        dtype = keras.backend.standardize_dtype(output.dtype)
        half = policy.removeprefix("mixed_")
        assert dtype == ("float32" if name in FLOAT32_OUTPUTS else half)
        assert relative_difference(numpy(output), expected) < 2e-2
    assert all(variable.dtype == "float32" for variable in layer.trainable_variables)


@POLICIES
@pytest.mark.parametrize("name", HOLD_ALL_LAYERS)
def test_gradients_are_finite_in_mixed_precision(name, policy):
    layer, inputs = built(name, policy), TRAINED[name][1]
    mode = {"training": True} if name in TAKES_TRAINING else {}

    def total(*tensors):
        return ops.sum(ops.square(ops.cast(layer(*tensors, **mode), "float32")))

    found, _ = gradients(total, layer, inputs)
    for variable, gradient in zip(layer.trainable_variables, found, strict=True):
        assert gradient is not None, variable.path
        assert np.all(np.isfinite(gradient)), variable.path
    assert any(np.any(gradient != 0) for gradient in found)


@POLICIES
def test_cutmix_keeps_its_function_in_mixed_precision(policy):
    masks = one_hot_masks(3, 2, grid=(8, 12))
    expected, exact = BinarizedPatchCutMix(4)(PAIRS, masks)
    keras.config.set_dtype_policy(policy)
    mixed, used = BinarizedPatchCutMix(4)(PAIRS, masks)
    np.testing.assert_array_equal(numpy(used), numpy(exact))
    assert relative_difference(numpy(mixed), numpy(expected)) < 2e-2


@POLICIES
def test_own_cutmix_masks_are_fair_in_mixed_precision(policy):
    inputs = np.zeros((4000, 2, 8, 8, 1), "uint8")
    _, masks = RandomPatchCutMix(2, seed=0, dtype=policy)(inputs)
    masks = numpy(masks)
    np.testing.assert_array_equal(masks.sum(axis=1), 1.0)
    np.testing.assert_allclose(masks.mean(axis=(0, 2, 3)), 0.5, atol=0.03)


@POLICIES
def test_stochastic_depth_keeps_its_function_in_mixed_precision(policy):
    inputs = np.ones((200, 1), "float32")
    layer = StochasticDepth(0.5, seed=0, dtype=policy)
    np.testing.assert_array_equal(numpy(layer(inputs)), 1.0)
    assert set(np.unique(numpy(layer(inputs, training=True)))) == {0.0, 2.0}
