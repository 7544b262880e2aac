"""Every model returns the shapes and dtypes that it announces, in every precision."""

import keras
import numpy as np
import pytest

from keras_mixvit import (
    Ensemble,
    ManifoldMixUp,
    MixMo,
    MixViT,
    SingleNetwork,
    load_model,
)
from keras_mixvit.backbones import CaiT, ConViT, ViT, WideResNet
from keras_mixvit.costs import flops
from tests.models.test_precision import half_supported


def convit(dtype):
    return ConViT((4, 4, 1), 2, 8, 2, 1, 1, dtype=dtype)


def cait(dtype):
    return CaiT((4, 4, 1), 2, 8, 2, 1, 1, dtype=dtype)


def vit(dtype):
    return ViT((4, 4, 1), 2, 8, 2, 1, 1, num_registers=1, dtype=dtype)


def residual(dtype):
    return WideResNet((4, 4, 1), depth=10, widening=1, dtype=dtype)


MODELS = {
    "single": lambda d: SingleNetwork(convit(d), 5),
    "embedding": lambda d: MixViT(cait(d), 5),
    "encoding": lambda d: MixViT(convit(d), 5, source_attribution="encoding"),
    "early": lambda d: MixViT(convit(d), 5, attribution_position="early"),
    "none": lambda d: MixViT(convit(d), 5, source_attribution=None),
    "all tokens": lambda d: MixViT(convit(d), 5, input_mixing="all_tokens"),
    "sum": lambda d: MixViT(convit(d), 5, inference="sum"),
    "vit": lambda d: MixViT(vit(d), 5, 3),
    "vit of all tokens": lambda d: MixViT(vit(d), 5, input_mixing="all_tokens"),
    "mixmo": lambda d: MixMo(residual(d), 5),
    "parallel mixmo": lambda d: MixMo(convit(d), 5, inference="parallel"),
    "manifold": lambda d: ManifoldMixUp(residual(d), 5),
    "ensemble": lambda d: Ensemble([SingleNetwork(convit(d), 5), MixViT(cait(d), 5)]),
}


# Both half precisions take the same way, and few models tell them from float32.
SLOW = [name for name in MODELS if name not in ("embedding", "mixmo", "ensemble")]
# PyTorch compiles nothing, and is quick.
ELSEWHERE = ["mixed_bfloat16"]
if keras.config.backend() != "torch":
    ELSEWHERE.append("mixed_float16")
CASES = [
    pytest.param(
        name,
        policy,
        marks=[pytest.mark.slow] if name in SLOW and policy in ELSEWHERE else [],
    )
    for name in MODELS
    for policy in ("float32", "mixed_bfloat16", "mixed_float16")
]


def form(output):
    return tuple(output.shape)[1:], keras.backend.standardize_dtype(output.dtype)


@pytest.mark.parametrize(("name", "policy"), CASES)
def test_what_is_announced_is_returned(name, policy, tmp_path):
    if not half_supported(policy.removeprefix("mixed_")):
        pytest.skip("this machine has no such products")
    model = MODELS[name](policy)
    assert [layer.path for layer in model._flatten_layers() if not layer.built] == []
    model.save(tmp_path / "model.keras")
    wanted = ((5,), "float32")
    for each in (model, load_model(tmp_path / "model.keras")):
        graph = each.ensemble()
        assert form(graph.output) == wanted
        for dtype in ("float32", "uint8", "float16"):
            x = np.zeros((2, 4, 4, 1), dtype)
            symbol = keras.Input((4, 4, 1), dtype=dtype)
            assert form(each(symbol)) == form(graph(symbol)) == wanted
            # Every dtype is one more compilation.
            if each is model or dtype == "float32":
                assert form(each.predict(x, verbose=0)) == wanted
            if keras.config.backend() != "jax":  # It compiles every operation.
                assert form(each(x)) == form(graph(x)) == wanted
    outer = keras.Input((4, 4, 1))
    assert form(keras.Model(outer, model(outer)).output) == wanted
    if not model.takes_pairs:
        return
    pairs = {
        key: keras.Input(value.shape[1:], dtype=value.dtype)
        for key, value in model.training_network.input.items()
    }
    announced = form(model(pairs))
    assert announced == ((model.num_subnetworks, 5), "float32")
    arrays = {
        key: np.zeros((2, *value.shape[1:]), value.dtype)
        for key, value in pairs.items()
    }
    arrays["masks"] += 1 / model.num_subnetworks
    assert form(model.predict(arrays, verbose=0)) == announced


@pytest.mark.one_backend
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("name", MODELS)
def test_operations_are_counted_alike_in_every_precision(name, training):
    counts = {
        policy: flops(MODELS[name](policy), training=training).total.multiply_adds
        for policy in ("float32", "mixed_bfloat16", "mixed_float16")
        if half_supported(policy.removeprefix("mixed_"))
    }
    assert len(set(counts.values())) == 1, counts
