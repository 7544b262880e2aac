"""Formulas by hand, for every layer of the library and of Keras."""

import keras
import pytest

from keras_mixvit import layers
from keras_mixvit.costs import flops
from keras_mixvit.costs._cost import Cost
from keras_mixvit.costs._layer_costs import COSTS
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.layers._standardization import Standardization

pytestmark = pytest.mark.usefixtures("_zero_weights")

# A grid of 2 x 3 tokens of width 8, two heads.
N, D, HEADS = 6, 8, 2
GRID, TOKEN = (2, 3, D), (D,)
MAPS = HEADS * N * N


def cost(layer, *shapes, training=False, **arguments):
    """Cost of a layer called on inputs of these shapes, without the batch."""
    inputs = [keras.Input(shape) for shape in shapes]
    model = keras.Model(inputs, layer(*inputs, **arguments))
    return flops(model, training).total


def self_attention_cost(bias=True):
    return Cost(
        multiply_adds=3 * N * D**2 + N**2 * D + N**2 * D + N * D**2,
        biases=(3 if bias else 0) * N * D + N * D,
        softmax=5 * MAPS,
        elementwise=N * D,
    )


def mlp_cost(tokens, hidden):
    return Cost(
        multiply_adds=tokens * D * hidden + tokens * hidden * D,
        biases=tokens * (hidden + D),
        activations=tokens * hidden,
    )


def class_attention_cost(bias=True):
    maps = HEADS * (N + 1)
    return Cost(
        # Query, q W_kᵀ, scores, weighted sum, value, projection.
        multiply_adds=D**2 + D**2 + maps * D + maps * D + D**2 + D**2,
        biases=(D + 2 * D + maps + D if bias else 0) + D,
        softmax=5 * maps,
        elementwise=D,
    )


def test_self_attention():
    for bias in (True, False):
        layer = layers.SelfAttention(HEADS, qkv_bias=bias)
        assert cost(layer, GRID) == self_attention_cost(bias)
        assert cost(layer, (N, D)) == self_attention_cost(bias)


def test_talking_heads_attention_adds_two_products_over_the_heads():
    talking = Cost(multiply_adds=2 * N**2 * HEADS**2, biases=2 * MAPS)
    layer = layers.TalkingHeadsAttention(HEADS)
    assert cost(layer, GRID) == self_attention_cost() + talking


def test_gated_positional_attention_has_its_position_once_per_call():
    layer = layers.GatedPositionalAttention(HEADS)
    once = HEADS * (9 * (2**2 + 3**2) + N**2 + 2 * N**2 + 2)
    gating = Cost(elementwise=2 * MAPS, per_call=once)
    assert cost(layer, GRID) == self_attention_cost(bias=False) + gating
    # Two grids under each other share one positional half.
    stacked = layers.GatedPositionalAttention(HEADS, grid_shape=(2, 3))
    once = HEADS * (9 * (2**2 + 3**2) + N**2 + 2 * (2 * N) ** 2 + 2)
    found = cost(stacked, (4, 3, D))
    assert found.per_call == once
    assert found.multiply_adds == 4 * 2 * N * D**2 + 2 * (2 * N) ** 2 * D


def test_class_attention_forms_no_keys_and_values_of_tokens():
    for bias in (True, False):
        layer = layers.ClassAttention(HEADS, qkv_bias=bias)
        assert cost(layer, TOKEN, GRID) == class_attention_cost(bias)


def test_mlp():
    assert cost(layers.MLP(20), GRID) == mlp_cost(N, 20)


@pytest.mark.parametrize("layer_scale", [None, 0.1])
def test_transformer_block(layer_scale):
    attention = layers.SelfAttention(HEADS)
    block = layers.TransformerBlock(attention, layer_scale=layer_scale)
    around = Cost(
        norms=2 * 7 * N * D, elementwise=(2 if layer_scale is None else 4) * N * D
    )
    assert cost(block, GRID) == self_attention_cost() + mlp_cost(N, 4 * D) + around


def test_class_attention_block_normalises_all_tokens():
    block = layers.ClassAttentionBlock(layers.ClassAttention(HEADS))
    around = Cost(norms=7 * (N + 1) * D + 7 * D, elementwise=2 * D)
    assert cost(block, TOKEN, GRID) == class_attention_cost() + (
        mlp_cost(1, 4 * D) + around
    )


@pytest.mark.parametrize("subnetworks", [1, 3])
def test_class_attention_block_on_a_shared_grid_normalises_its_tokens_only(subnetworks):
    token, grid = keras.Input((subnetworks, D)), keras.Input(GRID)
    source = 0 if subnetworks == 1 else None
    vectors = layers.SourceEmbedding(3, name="embedding")(
        grid, source=source, added=False
    )
    standard, deviations = Standardization(name="standardization")(grid)
    sources = SourceStatistics(name="statistics")(standard, deviations, vectors)
    block = layers.ClassAttentionBlock(layers.ClassAttention(HEADS), name="block")
    model = keras.Model([token, grid], block(token, standard, *sources))
    rows = {row.name: row for row in flops(model).rows}
    assert rows["standardization"].cost == Cost(norms=5 * N * D)
    rates = subnetworks * N
    assert rows["statistics"].cost == Cost(
        rates * D, elementwise=7 * rates, per_call=4 * subnetworks * D
    )
    assert rows["embedding"].cost == Cost()
    queries = subnetworks * HEADS
    sharing = Cost(
        # Vector and offset are two more tokens of scores and sums.
        multiply_adds=2 * 2 * queries * D,
        # Gains of queries and sums, which are added; scales, rates, two sums.
        elementwise=3 * queries * D + (4 + 4) * queries * N,
    )
    around = Cost(norms=2 * 7 * D, elementwise=2 * D)
    one = class_attention_cost() + mlp_cost(1, 4 * D) + around
    found = [row for name, row in rows.items() if name.startswith("block")]
    total = sum((row.cost for row in found), Cost())
    assert total == sum([one] * subnetworks, sharing)
    assert {row.count for row in found} == {subnetworks}


def test_dropout_and_stochastic_depth_cost_in_training_only():
    options = {"mlp_ratio": 2.0, "dropout_rate": 0.1, "stochastic_depth_rate": 0.1}
    attention = layers.SelfAttention(
        HEADS, dropout_rate=0.1, attention_dropout_rate=0.1
    )
    block = layers.TransformerBlock(attention, **options)
    more = cost(block, GRID, training=True) - cost(block, GRID)
    drops = MAPS + N * D + N * 2 * D + N * D + 2 * N * D
    assert more == Cost(elementwise=drops)


def test_embeddings_and_small_layers():
    patches = cost(layers.PatchEmbedding(D, 4), (8, 12, 3))
    assert patches == Cost(multiply_adds=N * 4 * 4 * 3 * D, biases=N * D)
    patches = cost(layers.PatchEmbedding(D, 4, use_bias=False), (8, 12, 3))
    assert patches == Cost(multiply_adds=N * 4 * 4 * 3 * D)
    assert cost(layers.PositionEmbedding(), GRID) == Cost(elementwise=N * D)
    assert cost(layers.LayerScale(), GRID) == Cost(elementwise=N * D)
    assert cost(layers.ClassToken(), GRID) == Cost()
    dropped = cost(layers.StochasticDepth(0.5), GRID, training=True)
    assert dropped == Cost(elementwise=N * D)
    assert cost(layers.StochasticDepth(0.5), GRID) == Cost()


def test_source_embedding():
    layer = layers.SourceEmbedding(3)
    assert cost(layer, GRID) == Cost(elementwise=3 * N * D)
    assert cost(layer, (3, *GRID)) == Cost(elementwise=3 * N * D)
    assert cost(layer, GRID, source=1) == Cost(elementwise=N * D)
    masked = Cost(multiply_adds=3 * N * D, elementwise=N * D)
    assert cost(layer, GRID, (3, 2, 3)) == masked


def test_source_encoding_has_one_product_per_source():
    layer = layers.SourceEncoding(3)
    every = Cost(3 * N * D**2, biases=3 * N * D, elementwise=3 * N * D)
    assert cost(layer, GRID) == every
    assert cost(layer, (3, *GRID)) == every
    single = Cost(N * D**2, biases=N * D, elementwise=N * D)
    assert cost(layer, GRID, source=1) == single
    masked = Cost(3 * N * D**2 + 3 * N * D, biases=N * D, elementwise=4 * N * D)
    assert cost(layer, GRID, (3, 2, 3)) == masked


def test_heads():
    layer = layers.SubnetworkHeads(5, 3)
    assert cost(layer, (D,)) == Cost(multiply_adds=3 * D * 5, biases=15)
    assert cost(layer, (3, D)) == Cost(multiply_adds=3 * D * 5, biases=15)
    assert cost(layer, (D,), subnetwork=1) == Cost(multiply_adds=D * 5, biases=5)


def test_mixing():
    layer, images = layers.BinarizedPatchCutMix(4), (2, 8, 12, 3)
    pixels = 2 * 8 * 12
    inputs = [keras.Input(images), keras.Input((2, 2, 3)), keras.Input((2, 8, 12))]
    mixed = [layer(inputs[0], masks)[0] for masks in inputs[1:]]
    rows = flops(keras.Model(inputs, mixed)).rows
    assert {row.cost.elementwise for row in rows} == {6 * pixels, 7 * pixels}
    assert {row.stage for row in rows} == {"mixing"}
    assert cost(layers.RandomPatchCutMix(4), images) == Cost(elementwise=6 * pixels)


@pytest.mark.parametrize("stride", [1, 2])
def test_basic_block(stride):
    places = 6 * 4 // stride**2
    block = layers.BasicBlock(16 if stride == 2 else D, stride)
    width = block.filters
    shortcut = places * D * width if stride == 2 else 0
    norms = 3 if stride == 2 else 2
    assert cost(block, (6, 4, D)) == Cost(
        multiply_adds=places * 9 * (D * width + width * width) + shortcut,
        norms=norms * 2 * places * width,
        activations=2 * places * width,
        elementwise=places * width,
    )


@pytest.mark.parametrize(
    ("kind", "strided", "places_between"),
    [("wide", None, 24), ("wide", "first", 6), ("preact", None, 6)],
)
def test_preactivation_block(kind, strided, places_between):
    block = layers.PreActivationBlock(16, 2, kind, strided)
    assert cost(block, (6, 4, D)) == Cost(
        multiply_adds=places_between * 9 * D * 16 + 6 * 9 * 16 * 16 + 6 * D * 16,
        norms=2 * (24 * D + places_between * 16),
        activations=24 * D + places_between * 16,
        elementwise=6 * 16,
    )


def test_batch_norm_has_statistics_of_its_own_in_training():
    block = layers.PreActivationBlock(D)
    inference, training = (cost(block, (6, 4, D), training=t) for t in (False, True))
    assert training - inference == Cost(norms=2 * 5 * 24 * D)


KERAS_CASES = [
    (keras.layers.Dense(5, activation="softmax"), (3, 4), Cost(60, 15, softmax=75)),
    (keras.layers.Dense(5, use_bias=False), (4,), Cost(20)),
    (keras.layers.Conv2D(6, 3, strides=2, activation="relu"), (7, 9, 4), None),
    (keras.layers.Conv2D(6, 3, groups=2, use_bias=False), (5, 5, 4), Cost(9 * 9 * 12)),
    (keras.layers.Conv1D(6, 3, padding="same"), (7, 4), Cost(7 * 72, 42)),
    (keras.layers.Conv3D(2, 2), (3, 3, 3, 4), Cost(8 * 2 * 8 * 4, 16)),
    (keras.layers.Conv2DTranspose(6, 2, 2), (3, 3, 4), Cost(9 * 4 * 4 * 6, 216)),
    (keras.layers.DepthwiseConv2D(3, depth_multiplier=2), (5, 5, 4), None),
    (keras.layers.LayerNormalization(), (3, 4), Cost(norms=84)),
    (keras.layers.LayerNormalization(center=False), (3, 4), Cost(norms=72)),
    (keras.layers.GroupNormalization(2), (3, 4), Cost(norms=84)),
    (keras.layers.RMSNormalization(), (3, 4), Cost(norms=48)),
    (keras.layers.BatchNormalization(), (3, 4), Cost(norms=24)),
    (keras.layers.MaxPooling2D(2), (4, 4, 3), Cost(elementwise=48)),
    (keras.layers.AveragePooling2D((2, 4)), (4, 4, 3), Cost(elementwise=48)),
    (keras.layers.GlobalAveragePooling2D(), (4, 4, 3), Cost(elementwise=48)),
    (keras.layers.Activation("gelu"), (3, 4), Cost(activations=12)),
    (keras.layers.Activation("linear"), (3, 4), Cost()),
    (keras.layers.ReLU(), (3, 4), Cost(activations=12)),
    (keras.layers.Softmax(), (3, 4), Cost(softmax=60)),
    (keras.layers.Rescaling(2.0, 1.0), (3, 4), Cost(elementwise=24)),
    (keras.layers.Dropout(0.5), (3, 4), Cost()),
    (keras.layers.Flatten(), (3, 4), Cost()),
]
CONV = Cost(3 * 4 * 6 * 9 * 4, biases=72, activations=72)
DEPTHWISE = Cost(9 * 8 * 9, biases=72)


@pytest.mark.parametrize(
    ("layer", "shape", "expected"), KERAS_CASES, ids=lambda x: getattr(x, "name", "")
)
def test_keras_layers(layer, shape, expected):
    if expected is None:
        expected = CONV if type(layer) is keras.layers.Conv2D else DEPTHWISE
    assert cost(layer, shape) == expected


def test_merging_and_operations():
    first, second = keras.Input((3, 4)), keras.Input((3, 4))
    for outputs, expected in [
        (keras.layers.Add()([first, second, first]), Cost(elementwise=24)),
        (keras.layers.Average()([first, second]), Cost(elementwise=24)),
        (keras.layers.Concatenate()([first, second]), Cost()),
        (sum([first, second]), Cost(elementwise=12)),
        (first @ keras.ops.transpose(second, (0, 2, 1)), Cost(3 * 3 * 4)),
        (keras.ops.mean(first - second, axis=1), Cost(elementwise=24)),
        (keras.ops.relu(first), Cost(activations=12)),
        (keras.ops.max_pool(first[..., None], 3, 2), Cost(elementwise=9)),
    ]:
        assert flops(keras.Model([first, second], outputs)).total == expected


def test_every_layer_of_the_library_has_a_rule():
    public = {getattr(layers, name) for name in layers.__all__}
    assert {x for x in public if issubclass(x, keras.layers.Layer)} <= set(COSTS)
