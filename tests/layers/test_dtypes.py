"""What every layer announces is what it returns, in every precision."""

import keras
import pytest
from keras import ops

from keras_mixvit import layers
from tests.helpers import images, one_hot_masks
from tests.layers.compiled import compiled
from tests.layers.references import noise
from tests.models.test_precision import half_supported

GRID, TOKEN = noise(3, 2, 3, 16), noise(3, 16, seed=1)
GRIDS = noise(3, 2, 2, 3, 16, seed=2)
MASKS = one_hot_masks(3, 2)
MODES = {"training": {"training": True}, "inference": {"training": False}}
RATES = {"dropout_rate": 0.1, "seed": 1}
BLOCK = {"mlp_ratio": 2.0, "layer_scale": 0.1, "stochastic_depth_rate": 0.1, **RATES}
# Layers, inputs and further arguments of a call. Every public layer is here.
CASES = {
    "MLP": (lambda **o: layers.MLP(32, **RATES, **o), [GRID], MODES),
    "MLP of SwiGLU": (
        lambda **o: layers.MLP(32, **RATES, activation="swiglu", **o),
        [GRID],
        MODES,
    ),
    "BasicBlock": (lambda **o: layers.BasicBlock(8, 2, **o), [GRID], MODES),
    "BinarizedPatchCutMix": (
        lambda **o: layers.BinarizedPatchCutMix(4, **o),
        [images(6).reshape(3, 2, 8, 12, 3), one_hot_masks(3, 2)],
        {"": {}},
    ),
    "RandomPatchCutMix": (
        lambda **o: layers.RandomPatchCutMix(4, **o),
        [images(6).reshape(3, 2, 8, 12, 3)],
        {"": {}},
    ),
    "ClassAttention": (
        lambda **o: layers.ClassAttention(2, **RATES, **o),
        [TOKEN, GRID],
        MODES,
    ),
    "ClassAttentionBlock": (
        lambda **o: layers.ClassAttentionBlock(
            layers.ClassAttention(2, **o), **BLOCK, **o
        ),
        [TOKEN, GRID],
        MODES,
    ),
    "ClassToken": (lambda **o: layers.ClassToken(**o), [GRID], {"": {}}),
    "Dropout": (lambda **o: layers.Dropout(0.5, **o), [GRID], MODES),
    "GatedPositionalAttention": (
        lambda **o: layers.GatedPositionalAttention(4, **RATES, **o),
        [GRID],
        MODES,
    ),
    "LayerScale": (lambda **o: layers.LayerScale(0.1, **o), [GRID], {"": {}}),
    "PatchEmbedding": (
        lambda **o: layers.PatchEmbedding(16, 4, **o),
        [images(3)],
        {"": {}},
    ),
    "PositionEmbedding": (
        lambda **o: layers.PositionEmbedding(**RATES, **o),
        [GRID],
        MODES,
    ),
    "PreActivationBlock": (
        lambda **o: layers.PreActivationBlock(8, 2, **o),
        [GRID],
        MODES,
    ),
    "PrefixTokens": (
        lambda **o: layers.PrefixTokens(num_registers=2, **RATES, **o),
        [GRID],
        MODES,
    ),
    "SelfAttention": (lambda **o: layers.SelfAttention(2, **RATES, **o), [GRID], MODES),
    "SourceEmbedding": (
        lambda **o: layers.SourceEmbedding(2, **o),
        [GRID],
        {"all": {}, "one": {"source": 1}},
    ),
    "SourceEmbedding of masks": (
        lambda **o: layers.SourceEmbedding(2, **o),
        [GRID, MASKS],
        {"": {}},
    ),
    "SourceEmbedding of grids": (
        lambda **o: layers.SourceEmbedding(2, **o),
        [GRIDS],
        {"": {}},
    ),
    "SourceEncoding": (
        lambda **o: layers.SourceEncoding(2, **o),
        [GRID],
        {"all": {}, "one": {"source": 1}},
    ),
    "SourceEncoding of masks": (
        lambda **o: layers.SourceEncoding(2, **o),
        [GRID, MASKS],
        {"": {}},
    ),
    "SourceEncoding of grids": (
        lambda **o: layers.SourceEncoding(2, **o),
        [GRIDS],
        {"": {}},
    ),
    "StochasticDepth": (lambda **o: layers.StochasticDepth(0.5, **o), [GRID], MODES),
    "SubnetworkHeads": (
        lambda **o: layers.SubnetworkHeads(5, 2, **o),
        [TOKEN],
        {"all": {}, "one": {"subnetwork": 1}},
    ),
    "SynchronizedBatchNormalization": (
        lambda **o: layers.SynchronizedBatchNormalization(**o),
        [GRID],
        MODES,
    ),
    "TalkingHeadsAttention": (
        lambda **o: layers.TalkingHeadsAttention(2, **RATES, **o),
        [GRID],
        MODES,
    ),
    "TransformerBlock": (
        lambda **o: layers.TransformerBlock(
            layers.TalkingHeadsAttention(2, **o), **BLOCK, **o
        ),
        [GRID],
        MODES,
    ),
}
# Logits, whose softmax must not be rounded.
FLOAT32 = ("SubnetworkHeads",)
NO_LAYERS = {"ReplicaSeedGenerator"}


def test_every_public_layer_is_here():
    assert {name.split(" of ")[0] for name in CASES} == {*layers.__all__} - NO_LAYERS


def form(outputs):
    """Shapes and dtypes of one or several outputs."""
    return [
        (tuple(output.shape)[1:], keras.backend.standardize_dtype(output.dtype))
        for output in keras.tree.flatten(outputs)
    ]


@pytest.mark.parametrize(
    ("policy", "dtype"),
    [
        ("float32", "float32"),
        ("mixed_bfloat16", "float32"),
        ("mixed_bfloat16", "bfloat16"),
        ("mixed_float16", "float32"),
        ("mixed_float16", "float16"),
    ],
)
@pytest.mark.parametrize("name", CASES)
def test_what_is_announced_is_returned(name, policy, dtype, tmp_path):
    make, inputs, modes = CASES[name]
    if not half_supported(policy.removeprefix("mixed_")):
        pytest.skip("this machine has no such products")
    layer = make(dtype=policy)
    tensors = [ops.cast(x, dtype) for x in inputs]
    symbols = [keras.Input(x.shape[1:], dtype=dtype) for x in inputs]
    loaded = keras.layers.deserialize(keras.layers.serialize(layer))
    for mode in modes.values():
        announced = layer(*symbols, **mode)
        expected = form(announced)
        if name.split(" of ")[0] in FLOAT32:
            half = "float32"
        else:
            half = policy.removeprefix("mixed_")
        assert {found for _, found in expected} == {half}
        shapes = layer.compute_output_spec(*symbols, **mode)
        assert form(shapes) == expected
        returned = compiled(lambda *x, mode=mode: layer(*x, **mode))(*tensors)
        assert form(returned) == expected
        if keras.config.backend() == "tensorflow":
            import tensorflow as tf

            traced = tf.function(lambda *x, mode=mode: layer(*x, **mode))
            assert form(traced(*tensors)) == expected
        assert form(loaded(*symbols, **mode)) == expected
        network = keras.Model(symbols, announced)
        assert form(compiled(network)(tensors)) == expected
    network.save(tmp_path / "network.keras")
    again = keras.saving.load_model(tmp_path / "network.keras")
    assert form(again.outputs) == expected
    assert form(compiled(again)(tensors)) == expected
