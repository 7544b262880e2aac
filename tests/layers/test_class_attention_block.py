"""Class attention of M subnetworks on one grid, against M grids that are formed."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import ClassAttention, ClassAttentionBlock, SourceEmbedding
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.layers._standardization import Standardization
from tests.helpers import gradients, numpy, set_weights
from tests.layers.compiled import call, compiled
from tests.layers.references import layer_norm, mlp, noise, softmax, wide

B, M, H, W, D, HEADS = 2, 3, 2, 3, 8, 2
EPSILON = 1e-3
GRID = 2 * noise(B, H, W, D, seed=1) + 1
TOKEN = noise(B, M, D, seed=2)
DIRECTION = noise(B, M, D, seed=3)
RATES = {"dropout_rate": 0.3, "stochastic_depth_rate": 0.4, "seed": 5}


class Both(keras.layers.Layer):
    """A block and a source embedding, on one grid or on M grids."""

    def __init__(self, qkv_bias=True, dropout=False, **options):
        super().__init__(**options)
        options = {"dtype": self.dtype_policy}
        drops = (0.2, 0.5, 7) if dropout else ()
        attention = ClassAttention(HEADS, qkv_bias, *drops, **options)
        options |= {"recompute": True, **RATES} if dropout == "recompute" else {}
        options |= RATES if dropout else {}
        self.block = ClassAttentionBlock(attention, 2.0, 0.5, EPSILON, **options)
        options = {"dtype": self.dtype_policy}
        self.embedding = SourceEmbedding(M, **options)
        self.standardization = Standardization(EPSILON, **options)
        self.statistics = SourceStatistics(EPSILON, **options)
        self.block.build((B, M, D), GRID.shape)
        self.embedding.build(GRID.shape)
        self.built = True
        set_weights(self, scale=0.5)

    def shared(self, grid):
        standard, deviations = self.standardization(grid)
        vectors = self.embedding(grid, added=False)
        return standard, *self.statistics(standard, deviations, vectors)

    def call(self, token, grid, training=None, formed=False):
        if not formed:
            return self.block(token, *self.shared(grid), training=training)
        grids = ops.reshape(self.embedding(grid), (B * M, H, W, D))
        token = ops.reshape(token, (B * M, D))
        token = self.block(token, grids, training=training)
        return ops.reshape(token, (B, M, D))


def by_definition(layer, token, grid):
    """Output and attention in float64, one subnetwork of an image after the other."""
    block, attention = layer.block, layer.block.attention
    names = ("query", "key", "value", "projection")
    kernel = {name: wide(getattr(attention, f"{name}_kernel")) for name in names}
    bias = dict.fromkeys(names, 0.0)
    for name in names if attention.qkv_bias else ("projection",):
        bias[name] = wide(getattr(attention, f"{name}_bias"))
    outputs, maps = np.zeros((B, M, D)), np.zeros((B, M, HEADS, 1 + H * W))
    for b, m in np.ndindex(B, M):
        c = token[b, m].astype("float64")
        u = grid[b].reshape(-1, D) + wide(layer.embedding.embedding)[m]
        u = layer_norm(np.concatenate([c[None], u]), block.attention_norm, EPSILON)
        q, k, v = (
            t @ kernel[n] + bias[n]
            for n, t in zip(names[:3], (u[0], u, u), strict=True)
        )
        pooled = np.zeros(D)
        for head, part in enumerate(np.split(np.arange(D), HEADS)):
            maps[b, m, head] = softmax(k[:, part] @ q[part] / np.sqrt(D / HEADS))
            pooled[part] = maps[b, m, head] @ v[:, part]
        branch = pooled @ kernel["projection"] + bias["projection"]
        c = c + branch * wide(block.attention_scale.gain)
        branch = mlp(layer_norm(c, block.mlp_norm, EPSILON), block.mlp)
        outputs[b, m] = c + branch * wide(block.mlp_scale.gain)
    return outputs, maps


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_one_grid_is_what_the_definition_says_of_m_grids(qkv_bias):
    layer = Both(qkv_bias)
    outputs, maps = by_definition(layer, TOKEN, GRID)
    np.testing.assert_allclose(
        numpy(call(layer, TOKEN, GRID)), outputs, rtol=1e-5, atol=1e-5
    )

    def weights(token, grid):
        return layer.block.attention_map(token, *layer.shared(grid))

    found = numpy(compiled(weights)(TOKEN, GRID))
    np.testing.assert_allclose(found, maps.reshape(B * M, HEADS, -1), atol=1e-6)


@pytest.mark.parametrize("offset", [1e3, 0.0])
def test_a_large_mean_and_vectors_as_large_as_the_grid_do_no_harm(offset):
    layer = Both()
    grid = (GRID + offset).astype("float32")
    # Rounding of the grid itself, which is 6e-5 of a deviation of 2.
    tolerance = 1e-3 if offset else 1e-5
    layer.embedding.embedding.assign(5 * noise(M, D, seed=4))
    outputs, _ = by_definition(layer, TOKEN, grid.astype("float64"))
    found = numpy(call(layer, TOKEN, grid))
    np.testing.assert_allclose(found, outputs, rtol=tolerance, atol=tolerance)
    # A source that takes a token away leaves epsilon, and no NaN.
    layer.embedding.embedding.assign(-np.stack([grid[0, 0, 0]] * M))
    assert np.isfinite(numpy(call(layer, TOKEN, grid))).all()


@pytest.mark.parametrize("dropout", [False, True, "recompute"])
def test_training_and_gradients_are_those_of_m_grids(dropout):
    found = {}
    for formed in (False, True):
        keras.utils.set_random_seed(0)
        layer = Both(dropout=dropout)

        def projected(token, grid, layer=layer, formed=formed):
            outputs = layer(token, grid, training=True, formed=formed)
            return ops.sum(ops.multiply(outputs, DIRECTION))

        weights, inputs = gradients(projected, layer, [TOKEN, GRID])
        found[formed] = [*weights, *inputs]
        layer = Both(dropout=dropout)
        output = call(layer, TOKEN, GRID, training=True, formed=formed)
        found[formed].append(numpy(output))
    names = [variable.path for variable in layer.trainable_variables]
    for name, one, many in zip(
        [*names, "token", "grid", "output"], *found.values(), strict=True
    ):
        assert one is not None, name
        np.testing.assert_allclose(one, many, rtol=1e-4, atol=2e-5, err_msg=name)
        if "key_bias" not in name:
            assert np.abs(one).max() > 1e-3, name
    if dropout:
        assert np.abs(found[False][-1] - numpy(call(layer, TOKEN, GRID))).max() > 0.05


@pytest.mark.parametrize("qkv_bias", [True, False])
def test_one_token_for_all_is_what_the_definition_says(qkv_bias):
    layer = Both(qkv_bias)
    token = TOKEN[:, 0]
    repeated = np.repeat(TOKEN[:, :1], M, axis=1)
    outputs, maps = by_definition(layer, repeated, GRID)
    found = numpy(call(layer, token, GRID))
    assert found.shape == (B, M, D)
    np.testing.assert_allclose(found, outputs, rtol=1e-5, atol=1e-5)
    found = numpy(layer.block.attention_map(token, *layer.shared(GRID)))
    np.testing.assert_allclose(found, maps.reshape(B * M, HEADS, -1), atol=1e-6)


@pytest.mark.parametrize("dropout", [False, True, "recompute"])
def test_one_token_for_all_trains_as_that_token_m_times(dropout):
    found = []
    for repeats in (1, M):
        keras.utils.set_random_seed(0)
        layer = Both(dropout=dropout)

        def projected(token, grid, layer=layer, repeats=repeats):
            if repeats > 1:
                token = ops.repeat(token[:, None], repeats, axis=1)
            outputs = layer(token, grid, training=True)
            return ops.sum(ops.multiply(outputs, DIRECTION))

        weights, inputs = gradients(projected, layer, [TOKEN[:, 0], GRID])
        found.append([*weights, *inputs])
    names = [variable.path for variable in layer.trainable_variables]
    for name, one, many in zip([*names, "token", "grid"], *found, strict=True):
        np.testing.assert_allclose(one, many, rtol=1e-4, atol=2e-5, err_msg=name)
        if "key_bias" not in name:
            assert np.abs(one).max() > 1e-3, name


@pytest.mark.parametrize("subnetworks", [1, M])
def test_a_graph_knows_the_shape_of_what_one_token_becomes(subnetworks):
    token, grid = keras.Input((D,)), keras.Input((H, W, D))
    numbers = [keras.Input((subnetworks, H, W)) for _ in range(2)]
    vectors = keras.Input(batch_shape=(subnetworks, D))
    block = ClassAttentionBlock(ClassAttention(HEADS))
    output = block(token, grid, *numbers, vectors)
    assert output.shape == (None, subnetworks, D)
    assert block(token, grid).shape == (None, D)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision_is_as_exact_as_with_m_grids(policy):
    expected, _ = by_definition(Both(), TOKEN, GRID)
    layer = Both(dtype=policy)
    errors = []
    for formed in (False, True):
        output = call(layer, TOKEN, GRID, formed=formed)
        assert keras.backend.standardize_dtype(output.dtype) == policy[6:]
        errors.append(np.linalg.norm(numpy(output) - expected))
    share = np.array(errors) / np.linalg.norm(expected)
    assert share[0] < 0.02
    assert share[0] < 2 * share[1] + 1e-4
    grid = (1000 * GRID).astype("float32")
    expected, _ = by_definition(Both(), TOKEN, grid)
    output = numpy(call(layer, TOKEN, grid))
    assert np.linalg.norm(output - expected) < 0.02 * np.linalg.norm(expected)


def test_statistics_are_those_of_m_grids_and_float32():
    layer = Both(dtype="mixed_bfloat16")
    grid = keras.random.normal((B, H, W, D), seed=1, dtype="bfloat16")
    standard, deviations = layer.standardization(grid)
    assert keras.backend.standardize_dtype(standard.dtype) == "bfloat16"
    assert keras.backend.standardize_dtype(deviations.dtype) == "float32"
    wide_grid = wide(grid)
    found = np.sqrt(wide_grid.var(axis=-1) + EPSILON)
    np.testing.assert_allclose(numpy(deviations), found, rtol=1e-6)
    layer = Both()
    standard, scales, rates, vectors = layer.shared(GRID)
    grids = GRID[:, None] + wide(layer.embedding.embedding)[:, None, None]
    centred = grids - grids.mean(axis=-1, keepdims=True)
    normal = centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + EPSILON)
    found = numpy(scales)[..., None] * numpy(standard)[:, None]
    found = found + numpy(rates)[..., None] * numpy(vectors)[:, None, None]
    np.testing.assert_allclose(found, normal, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", ["rates", "vectors"])
def test_what_a_shared_grid_needs_comes_together(name):
    block = ClassAttentionBlock(ClassAttention(2))
    given = {name: np.ones((B, M, H, W) if name == "rates" else (M, D))}
    text = "`scales`, `rates` and `vectors` must be given together. Received: scales="
    with pytest.raises(ValueError, match=text):
        block(np.zeros((B, D)), GRID, **given)


@pytest.mark.parametrize("dropout", [False, "recompute"])
def test_what_is_shared_can_be_given_by_name(dropout):
    layer = Both(dropout=dropout)
    standard, scales, rates, vectors = layer.shared(GRID)
    expected = numpy(layer.block(TOKEN, standard, scales, rates, vectors))
    named = {"vectors": vectors, "rates": rates, "scales": scales}
    found = numpy(layer.block(TOKEN, grid=standard, **named))
    np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6)
