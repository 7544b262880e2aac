import cProfile
import pstats

import keras
import numpy as np
import pytest

from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    GatedPositionalAttention,
    PreActivationBlock,
    TransformerBlock,
)
from keras_mixvit.layers import _inner_calls as inner_calls
from keras_mixvit.layers._inner_calls import within

on_torch = pytest.mark.skipif(
    keras.config.backend() != "torch", reason="others trace a step once"
)
GRID = np.random.default_rng(0).normal(size=(2, 4, 4, 16)).astype("float32")


def block_of(dtype="float32", **options):
    return TransformerBlock(
        GatedPositionalAttention(4, dtype=dtype, seed=0), dtype=dtype, seed=0, **options
    )


def outputs(make, inputs, direct, monkeypatch):
    """Outputs and gradient-free training outputs of a new layer, weights alike."""
    monkeypatch.setattr(inner_calls, "ON_TORCH", direct)
    keras.utils.set_random_seed(0)
    layer = make()
    return [
        keras.ops.convert_to_numpy(
            keras.ops.cast(layer(*inputs, training=training), "float32")
        )
        for training in (False, True)
    ]


@on_torch
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "bfloat16"])
@pytest.mark.parametrize("recompute", [False, True])
def test_outputs_are_those_of_whole_calls(dtype, recompute, monkeypatch):
    options = {"dtype": dtype, "recompute": recompute}
    cases = [
        (lambda: block_of(layer_scale=0.5, dropout_rate=0.2, **options), [GRID]),
        (
            lambda: ClassAttentionBlock(ClassAttention(4, dtype=dtype), **options),
            [GRID[:, 0, 0], GRID],
        ),
        (lambda: PreActivationBlock(8, 2, **options), [GRID]),
    ]
    for make, inputs in cases:
        direct = outputs(make, inputs, True, monkeypatch)
        whole = outputs(make, inputs, False, monkeypatch)
        np.testing.assert_array_equal(direct, whole)


@on_torch
def test_a_block_takes_half_the_python_calls(monkeypatch):
    block, counts = block_of(), []
    grid = keras.ops.convert_to_tensor(GRID)
    for direct in (True, False):
        monkeypatch.setattr(inner_calls, "ON_TORCH", direct)
        block(grid, training=True)
        profile = cProfile.Profile()
        profile.runcall(block, grid, training=True)
        counts.append(pstats.Stats(profile).total_calls)
    assert counts[0] < 0.5 * counts[1]


@on_torch
def test_hooks_of_inner_layers_run():
    block, seen = block_of(), []
    block(GRID)
    block.mlp.register_forward_hook(lambda *_: seen.append("mlp"))
    block(GRID)
    assert seen == ["mlp"]


@pytest.mark.parametrize("part", ["precision", "map", "regularizer", "not built"])
def test_layers_that_need_a_whole_call_get_it(part):
    policy = keras.dtype_policies.DTypePolicyMap() if part == "map" else None
    outer = keras.layers.Dense(4, dtype=policy)
    inner = keras.layers.Dense(
        4,
        dtype="mixed_bfloat16" if part == "precision" else policy,
        activity_regularizer="l2" if part == "regularizer" else None,
    )
    if part != "not built":
        inner.build((None, 4))
    assert within(outer, inner) is inner


@on_torch
def test_quantized_layers_stay_quantized():
    block = block_of()
    block(GRID)
    block.mlp.expand.quantize("int8")
    assert within(block.mlp, block.mlp.expand) is block.mlp.expand
