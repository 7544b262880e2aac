"""The named ViTs: their arguments, and as many parameters as timm counts."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import tests.convert
from keras_mixvit import SingleNetwork, ViT, make_backbone
from keras_mixvit.convert import timm_weights
from tests.helpers import unallocated

# Width, heads, blocks, stochastic depth of the first and the last block.
VIT = {
    "vit_tiny_patch16": (192, 3, 10, 0, 0),
    "vit_small_patch16": (384, 6, 10, 0, 0),
    "vit_base_patch16": (768, 12, 10, 0, 0),
    "vit_large_patch16": (1024, 16, 22, 0, 0),
    "deit_tiny_patch16": (192, 3, 10, 0, 0.1),
    "deit_small_patch16": (384, 6, 10, 0, 0.1),
    "deit_base_patch16": (768, 12, 10, 0, 0.1),
    "deit3_small_patch16": (384, 6, 10, 0.05, 0.05),
    "deit3_base_patch16": (768, 12, 10, 0.2, 0.2),
    "deit_tiny_distilled_patch16": (192, 3, 10, 0, 0.1),
    "deit_small_distilled_patch16": (384, 6, 10, 0, 0.1),
    "deit_base_distilled_patch16": (768, 12, 10, 0, 0.1),
    "vit_base_patch32_clip": (768, 12, 10, 0, 0),
    "vit_base_patch16_clip": (768, 12, 10, 0, 0),
    "vit_large_patch14_clip": (1024, 16, 22, 0, 0),
    "vit_base_patch32_clip_quickgelu": (768, 12, 10, 0, 0),
    "vit_base_patch16_clip_quickgelu": (768, 12, 10, 0, 0),
    "vit_large_patch14_clip_quickgelu": (1024, 16, 22, 0, 0),
    "vit_small_patch14_reg4_dinov2": (384, 6, 10, 0, 0),
    "vit_base_patch14_reg4_dinov2": (768, 12, 10, 0, 0),
}
with np.load(Path(tests.convert.__file__).parent / "vit_outputs.npz") as file:
    COUNTS = json.loads(str(file["counts"]))


@pytest.mark.parametrize("published", COUNTS)
def test_parameters_are_as_many_as_those_of_timm(published):
    name, _, side = published.rpartition("_")
    name, options = (
        (published, {})
        if side == "dinov2"
        else (name, {"image_shape": (int(side), int(side), 3)})
    )
    model = unallocated(lambda: SingleNetwork(make_backbone(name, **options), 1000))
    # timm's two heads of a distilled network have two biases.
    fewer = 1000 if "distilled" in published else 0
    assert model.count_params() == COUNTS[published] - fewer


@pytest.mark.parametrize("name", VIT)
def test_arguments_are_the_published_ones(name):
    width, num_heads, num_blocks, first, last = VIT[name]
    backbone = unallocated(lambda: make_backbone(name))
    assert type(backbone) is ViT
    is_dinov2, is_deit3 = "dinov2" in name, "deit3" in name
    is_clip, is_quick = "clip" in name, "quickgelu" in name
    side = 518 if is_dinov2 else 224
    patch_size = int(re.search(r"patch(\d+)", name)[1])
    assert backbone.image_shape == (side, side, 3)
    assert backbone.patch_size == patch_size
    assert (backbone.width, backbone.num_heads) == (width, num_heads)
    assert (backbone.num_blocks, backbone.num_class_blocks) == (num_blocks, 2)
    pooling = "distilled" if "distilled" in name else "token"
    assert (backbone.pooling, backbone.class_token) == (pooling, True)
    assert backbone.pre_norm is is_clip
    assert backbone.num_registers == (4 if is_dinov2 else 0)
    assert backbone.prefix_positions is not (is_dinov2 or is_deit3)
    expected = 1e-4 if is_deit3 else 1e-5 if is_dinov2 else None
    assert backbone.layer_scale == expected
    epsilon = 1e-5 if is_clip else 1e-6
    assert (backbone.epsilon, backbone.mlp_ratio) == (epsilon, 4.0)
    assert backbone.qkv_bias is True
    assert backbone.mlp_activation == ("quick_gelu" if is_quick else "gelu")
    rates = [
        stage.get_layer(f"{kind}_{i}").stochastic_depth_rate
        for stage, kind, count in (
            (backbone.body, "block", num_blocks),
            (backbone.trunk, "class_block", 2),
        )
        for i in range(count)
    ]
    np.testing.assert_allclose(rates, np.linspace(first, last, num_blocks + 2))


def test_image_and_patch_size_can_be_chosen():
    backbone = make_backbone(
        "vit_small_patch14_reg4_dinov2", (8, 12, 1), 4, width=16, num_heads=2
    )
    assert backbone.grid_shape == (2, 3)
    assert backbone.num_prefix_tokens == 5
    assert make_backbone("vit_tiny_patch16", (32, 48, 3)).grid_shape == (2, 3)


def test_weights_start_as_published():
    backbone = make_backbone(
        "vit_small_patch14_reg4_dinov2", (28, 28, 3), num_blocks=1, num_class_blocks=1
    )
    for key, values in timm_weights(backbone).items():
        if key.startswith("patch_embed"):
            assert np.abs(values).max() <= (14 * 14 * 3) ** -0.5, key
        elif key.endswith("gamma"):
            np.testing.assert_allclose(values, 1e-5, err_msg=key)
        elif key.endswith("bias"):
            np.testing.assert_array_equal(values, 0.0, err_msg=key)
        elif "norm" in key:
            np.testing.assert_array_equal(values, 1.0, err_msg=key)
        else:
            tolerance = max(0.03, 5 / np.sqrt(2 * values.size))
            np.testing.assert_allclose(values.std(), 0.02, tolerance, err_msg=key)
