"""Whole models in half precision, in inference and in training mode."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit import MixViT, SingleNetwork
from tests.helpers import (
    EAGERLY,
    LOSS,
    gradients,
    images,
    numpy,
    one_hot_masks,
    set_weights,
    tiny_cait,
    tiny_convit,
    tiny_vit,
)
from tests.layers.compiled import compiled


def half_supported(dtype):
    """Whether the backend multiplies matrices of a dtype on this machine."""
    try:
        ops.convert_to_numpy(
            ops.matmul(ops.ones((2, 2), dtype), ops.ones((2, 2), dtype))
        )
    except Exception:
        return False
    return True


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def policy(request):
    dtype = request.param.removeprefix("mixed_")
    if not half_supported(dtype):
        pytest.skip(f"this machine's {keras.config.backend()} has no {dtype} products")
    return request.param


MODELS = {
    "single": lambda dtype: SingleNetwork(tiny_convit(dtype=dtype), 5),
    "embedding": lambda dtype: MixViT(tiny_convit(dtype=dtype), 5),
    "encoding": lambda dtype: MixViT(
        tiny_cait(dtype=dtype), 5, source_attribution="encoding"
    ),
    "vit": lambda dtype: MixViT(tiny_vit(dtype=dtype), 5),
    "average": lambda dtype: MixViT(
        tiny_vit(dtype=dtype, pooling="average", mlp_activation="swiglu"), 5
    ),
    "all tokens": lambda dtype: MixViT(
        tiny_convit(dtype=dtype), 5, input_mixing="all_tokens"
    ),
}


@pytest.mark.parametrize("name", MODELS)
def test_half_precision_is_close_to_single_precision(name, policy):
    full, half = MODELS[name]("float32"), MODELS[name](policy)
    members = full.num_subnetworks
    x = np.stack([images(4, seed=m) for m in range(members)], 1)
    masks = one_hot_masks(4, members)
    outputs = []
    for model in (full, half):
        set_weights(model, scale=0.2)

        def forward(x, masks, model=model):
            pairs = {"images": x, "masks": masks}
            return (
                model(x[:, 0], training=False),
                model(pairs, training=False),
                model(pairs, training=True),
            )

        outputs.append(compiled(forward)(*map(ops.convert_to_tensor, (x, masks))))
    for expected, actual in zip(*outputs, strict=True):
        assert keras.backend.standardize_dtype(actual.dtype) == "float32"
        difference = np.linalg.norm(numpy(actual) - numpy(expected))
        assert difference <= 2e-2 * np.linalg.norm(numpy(expected))


@pytest.mark.parametrize("name", ["encoding", "vit"])
def test_gradients_are_finite_in_half_precision(name, policy):
    model = MODELS[name](policy)
    set_weights(model, scale=0.2)
    x = np.stack([images(4, seed=m) for m in range(2)], 1)
    masks, y = one_hot_masks(4, 2), np.array([[0, 1], [2, 3], [4, 0], [1, 1]])

    def loss(x):
        return LOSS(y, model({"images": x, "masks": masks}, training=True))

    weights, _ = gradients(loss, model, [x])
    for variable, gradient in zip(model.trainable_variables, weights, strict=True):
        assert np.isfinite(gradient).all(), variable.path


def test_a_half_precision_model_keeps_its_policy_in_its_config():
    model = MODELS["embedding"]("mixed_bfloat16")
    loaded = MixViT.from_config(model.get_config())
    assert loaded.dtype_policy.name == "mixed_bfloat16"
    assert loaded.backbone.dtype_policy.name == "mixed_bfloat16"
    assert loaded.heads.dtype_policy.name == "mixed_bfloat16"


def test_training_steps_in_bfloat16_lower_the_loss():
    model = MODELS["embedding"]("mixed_bfloat16")
    set_weights(model, scale=0.2)
    model.compile(keras.optimizers.Adam(1e-3), LOSS, **EAGERLY)
    x = np.stack([images(4, seed=m) for m in range(2)], 1)
    inputs = {"images": x, "masks": one_hot_masks(4, 2)}
    y = np.array([[0, 1], [2, 3], [4, 0], [1, 1]])
    before = float(model.test_on_batch(inputs, y))
    for _ in range(5):
        model.train_on_batch(inputs, y)
    model.reset_metrics()
    assert float(model.test_on_batch(inputs, y)) < before
