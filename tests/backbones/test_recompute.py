"""Blocks that are computed twice train as blocks that are computed once."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, MixViT, SingleNetwork, load_model
from keras_mixvit.backbones import PreActResNet, ResNet, WideResNet, make_backbone
from keras_mixvit.costs import flops
from keras_mixvit.data import load
from keras_mixvit.layers import BasicBlock
from keras_mixvit.recipes import Recipe, model_for
from tests.helpers import (
    LOSS,
    images,
    numpy,
    one_hot_masks,
    set_weights,
    tiny_cait,
    tiny_convit,
    tiny_vit,
)

BACKEND = keras.config.backend()
DRAWS = {"stochastic_depth_rate": 0.4, "dropout_rate": 0.3, "seed": 3}


def small_convit(**options):
    return tiny_convit(num_blocks=1, num_class_blocks=1, **options)


def published_convit(**options):
    return tiny_convit(trunk_attention="self_attention", **options)


def wide_resnet(**options):
    return WideResNet((8, 12, 3), 10, 1, l2=1e-3, **options)


def preact_resnet(**options):
    return PreActResNet((8, 12, 3), 1, **options)


def resnet(**options):
    return ResNet((16, 16, 3), 1, **options)


def trained(make, recompute, policy="float32", steps=2, **options):
    """Losses, weights and statistics of a few steps."""
    keras.utils.set_random_seed(0)
    is_transformer = make in (small_convit, tiny_cait, published_convit, tiny_vit)
    draws = {**DRAWS, "attention_dropout_rate": 0.2} if is_transformer else {}
    backbone = make(recompute=recompute, dtype=policy, **draws)
    model = (MixViT if is_transformer else MixMo)(backbone, 5, **options)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(0.3 * rng.standard_normal(variable.shape))
    # The change of a weight in one step of SGD is its gradient.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS)
    losses = []
    for step in range(steps):
        pairs = {
            "images": np.stack(
                [images(4, model.image_shape, seed=2 * step + m) for m in (0, 1)], 1
            ),
            "masks": one_hot_masks(4, 2, backbone.grid_shape, seed=step),
        }
        labels = np.arange(8).reshape(4, 2) % 5
        losses.append(float(model.train_on_batch(pairs, labels)))
    return model, losses


@pytest.mark.parametrize(
    "make",
    [
        small_convit,
        wide_resnet,
        pytest.param(tiny_cait, marks=pytest.mark.slow),
        pytest.param(published_convit, marks=pytest.mark.slow),
        pytest.param(tiny_vit, marks=pytest.mark.slow),
        pytest.param(preact_resnet, marks=pytest.mark.slow),
        pytest.param(resnet, marks=pytest.mark.slow),
    ],
)
def test_losses_weights_statistics_and_draws_are_equal(make):
    plain, expected = trained(make, recompute=False)
    model, losses = trained(make, recompute=True)
    np.testing.assert_allclose(losses, expected, rtol=1e-6)
    for one, other in zip(model.variables, plain.variables, strict=True):
        # Seeds, too: the second pass draws nothing.
        np.testing.assert_allclose(numpy(one), numpy(other), rtol=1e-5, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("make", [small_convit, wide_resnet])
def test_half_precision(make):
    plain, expected = trained(make, recompute=False, policy="mixed_bfloat16")
    model, losses = trained(make, recompute=True, policy="mixed_bfloat16")
    # Compilers round differently where they fuse differently.
    np.testing.assert_allclose(losses, expected, rtol=2e-3)
    for one, other in zip(model.variables, plain.variables, strict=True):
        found, wanted = numpy(one), numpy(other)
        scale = np.abs(wanted).max() + 1e-6
        np.testing.assert_allclose(found / scale, wanted / scale, atol=0.02)
    assert model.dtype_policy.name == "mixed_bfloat16"


def test_frozen_blocks_keep_their_statistics():
    def frozen(recompute):
        keras.utils.set_random_seed(0)
        model = SingleNetwork(wide_resnet(recompute=recompute), 5)
        set_weights(model)
        model.body.trainable = False
        model.compile("sgd", LOSS)
        before = [numpy(variable) for variable in model.body.variables]
        loss = model.train_on_batch(images(4), np.arange(4))
        for variable, value in zip(model.body.variables, before, strict=True):
            np.testing.assert_array_equal(numpy(variable), value)
        return float(loss)

    assert frozen(True) == pytest.approx(frozen(False), rel=1e-6)


def test_files_fit_either_way(tmp_path):
    model = MixViT(tiny_cait(recompute=True, **DRAWS), 5)
    model.save(tmp_path / "model.keras")
    loaded = load_model(tmp_path / "model.keras")
    assert loaded.backbone.recompute
    assert all(block.recompute for block in loaded.body.layers[-2:])
    model.save_weights(tmp_path / "model.weights.h5")
    plain = MixViT(tiny_cait(recompute=False, **DRAWS), 5)
    plain.load_weights(tmp_path / "model.weights.h5")
    paths = [variable.path for variable in plain.trainable_variables]
    assert [variable.path for variable in model.trainable_variables] == paths
    x = images(3)
    np.testing.assert_allclose(numpy(plain(x)), numpy(model(x)), atol=1e-6)
    np.testing.assert_allclose(numpy(loaded(x)), numpy(model(x)), atol=1e-6)
    plain.save_weights(tmp_path / "plain.weights.h5")
    model.load_weights(tmp_path / "plain.weights.h5")


@pytest.mark.parametrize("training", [False, True])
def test_costs_are_those_of_one_pass(training):
    plain, model = (
        MixViT(tiny_convit(recompute=recompute), 5) for recompute in (False, True)
    )
    assert flops(model, training).total == flops(plain, training).total


def test_attention_maps_are_the_same():
    model = MixViT(tiny_convit(recompute=True), 5)
    assert len(model.attention_maps(images(2))) == 4


@pytest.mark.skipif(BACKEND != "tensorflow", reason="Written there.")
def test_exports_compute_once(tmp_path):
    model = SingleNetwork(tiny_convit(recompute=True), 5)
    model.export(tmp_path / "saved", verbose=False)
    assert (tmp_path / "saved" / "saved_model.pb").is_file()


def test_recipes_and_named_backbones_take_it():
    recipe = Recipe(backbone={"width": 16, "num_blocks": 1}).with_settings(
        ["backbone.recompute=true"]
    )
    assert model_for(recipe, load("digits")).backbone.recompute
    residual = Recipe(
        backbone={"name": "wide_resnet", "recompute": True}, method="mimo"
    )
    assert model_for(residual, load("digits")).backbone.recompute
    tiny = make_backbone("cait_xxs24", (8, 8, 3), 4, num_blocks=1, recompute=True)
    assert tiny.recompute
    assert not BasicBlock(4).recompute


@pytest.mark.skipif(BACKEND != "torch", reason="Elsewhere a compiler plans memory.")
def test_less_is_stored_for_the_backward_pass():
    import torch

    def stored(recompute):
        backbone = tiny_cait(num_blocks=6, recompute=recompute)
        seen = {}

        def pack(tensor):
            seen[tensor.data_ptr()] = tensor.nbytes
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            backbone(images(16), training=True)
        weights = {v.value.data_ptr() for v in backbone.variables}
        return sum(size for place, size in seen.items() if place not in weights)

    assert stored(True) < 0.35 * stored(False)
