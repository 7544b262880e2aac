"""ViT against the stored outputs of timm 1.0.31, which `make_vit_outputs` made."""

import functools
import re

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork, ViT, make_backbone
from keras_mixvit.backbones._named import NAMED
from keras_mixvit.convert import load_timm_weights, timm_weights
from tests.convert.files import save_model
from tests.convert.loading import MISFIT
from tests.convert.timm_cases import (
    NUM_CLASSES,
    PATCH_SIZE,
    drawn_weights,
    images,
)
from tests.convert.timm_stored import Stored, check_gradients
from tests.convert.vit_cases import BLOCKS, CASES, NUM_BLOCKS, NUM_CLASS_BLOCKS
from tests.helpers import numpy, set_weights
from tests.layers.compiled import call, compiled

EVERY_CASE = pytest.mark.parametrize("name", CASES)
CLOSE = {"rtol": 2e-5, "atol": 2e-5}
STORED = Stored("vit_outputs.npz")
stored, stored_under, shapes = STORED.of, STORED.under, STORED.shapes


def network(name, **changes):
    case = CASES[name]
    arguments = {
        "image_shape": (*case.image_size, case.channels),
        "patch_size": PATCH_SIZE,
        "width": case.width,
        "num_heads": case.num_heads,
        "num_blocks": NUM_BLOCKS,
        "num_class_blocks": NUM_CLASS_BLOCKS,
    }
    return SingleNetwork(ViT(**{**arguments, **case.ours, **changes}), NUM_CLASSES)


@functools.cache
def loaded_network(name):
    """Our network of a case with the drawn weights, and the conversion."""
    model = network(name)
    return model, load_timm_weights(model, drawn_weights(shapes(name)))


def expected_weights(name):
    """The drawn weights, with the mean of the biases where two heads are one."""
    weights = drawn_weights(shapes(name))
    if "head_dist.bias" in weights:
        mean = (weights["head.bias"] + weights["head_dist.bias"]) / 2
        weights |= {"head.bias": mean, "head_dist.bias": mean}
    return weights


@EVERY_CASE
def test_names_shapes_and_weights_are_those_of_timm(name):
    model, conversion = loaded_network(name)
    weights = timm_weights(model)
    assert {key: array.shape for key, array in weights.items()} == shapes(name)
    assert set(conversion.loaded) == set(shapes(name))
    assert conversion.unused == conversion.untouched == conversion.resized == ()
    for key, array in expected_weights(name).items():
        np.testing.assert_array_equal(weights[key], array, err_msg=key)


def outputs(model, pixels):
    """Logits, tokens after each block, and attention weights of each block."""
    backbone = model.backbone
    body, trunk = backbone.body, backbone.trunk
    grid = backbone.stem(pixels)
    found = keras.Model(body.input, body.get_layer("block_0").output)(grid)
    blocks = [trunk.get_layer(block).output for block in BLOCKS[NUM_BLOCKS:]]
    others = keras.Model(trunk.input, blocks)(body(grid))
    maps = {}
    features = backbone.apply_blocks(backbone.apply_position(grid), maps)
    backbone.apply_trunk(features, maps)
    return model(pixels), dict(zip(BLOCKS, [found, *others], strict=True)), maps


@EVERY_CASE
def test_logits_blocks_and_attention_are_those_of_timm(name):
    model, _ = loaded_network(name)
    run = compiled(lambda pixels: outputs(model, pixels))
    logits, features, maps = run(images(CASES[name]))
    np.testing.assert_allclose(numpy(logits), stored(name)["logits"], **CLOSE)
    for kind, found in (("features", features), ("attention", maps)):
        expected = stored_under(name, kind)
        assert tuple(expected) == tuple(found) == BLOCKS
        for block in BLOCKS:
            # Without prefix tokens the tokens are a grid.
            array = numpy(found[block]).reshape(expected[block].shape)
            np.testing.assert_allclose(
                array, expected[block], err_msg=f"{kind} of {block}", **CLOSE
            )


def test_attention_maps_are_those_of_timm():
    model, _ = loaded_network("dinov2")
    found = model.attention_maps(images(CASES["dinov2"]))
    for block, expected in stored_under("dinov2", "attention").items():
        np.testing.assert_allclose(found[block][:, 0], expected, **CLOSE)


@pytest.mark.parametrize("name", [n for n, c in CASES.items() if c.has_gradients])
def test_gradients_of_every_parameter_are_those_of_timm(name):
    model, _ = loaded_network(name)
    expected = stored_under(name, "gradients")
    check_gradients(model, CASES[name], expected, shapes(name))


def test_another_length_of_the_trunk_is_the_same_network():
    # Which blocks are the trunk is no part of timm's weights.
    weights = drawn_weights(shapes("dinov2"))
    model = network("dinov2", num_blocks=2, num_class_blocks=1)
    load_timm_weights(model, weights)
    found = numpy(call(model, images(CASES["dinov2"])))
    np.testing.assert_allclose(found, stored("dinov2")["logits"], **CLOSE)
    for key, array in timm_weights(model).items():
        np.testing.assert_array_equal(array, weights[key], err_msg=key)


def test_subnetworks_without_sources_are_the_network_of_timm():
    weights = drawn_weights(shapes("dinov2"))
    model = MixViT(network("dinov2").backbone, NUM_CLASSES, 3)
    conversion = load_timm_weights(model, weights, include_head=True)
    (left,) = conversion.untouched
    assert left.endswith("source_embedding")
    model.attribution.embedding.assign(np.zeros((3, 16)))
    found = numpy(call(model.inference_network, images(CASES["dinov2"])))
    for m in range(3):
        np.testing.assert_allclose(found[:, m], stored("dinov2")["logits"], **CLOSE)


def test_resized_positions_are_those_of_timm_and_prefix_entries_are_kept():
    before, after = stored("resized")["from"], stored("resized")["to"]
    backbone = ViT((4, 8, 1), 2, 5, 1, 1, 1)
    weights = {**timm_weights(ViT((6, 6, 1), 2, 5, 1, 1, 1)), "pos_embed": before}
    conversion = load_timm_weights(backbone, weights)
    assert conversion.resized == ("pos_embed",)
    found = timm_weights(backbone)["pos_embed"]
    np.testing.assert_array_equal(found[:, :1], before[:, :1])
    np.testing.assert_allclose(found, after, atol=5e-6)
    # Without entries for the prefix the same table is one of positions only.
    plain = ViT((4, 8, 1), 2, 5, 1, 1, 1, prefix_positions=False)
    weights = {**weights, "pos_embed": before[:, 1:]}
    load_timm_weights(plain, weights)
    found = timm_weights(plain)["pos_embed"]
    np.testing.assert_allclose(found, after[:, 1:], atol=5e-6)


def test_names_of_the_deit_3_release_are_read():
    weights = drawn_weights(shapes("deit3"))
    released = {
        key.replace("ls1.gamma", "gamma_1").replace("ls2.gamma", "gamma_2"): array
        for key, array in weights.items()
    }
    assert set(released) != set(weights)
    model = network("deit3")
    load_timm_weights(model, released)
    for key, array in timm_weights(model).items():
        np.testing.assert_array_equal(array, weights[key], err_msg=key)


@pytest.mark.parametrize(
    ("name", "published_grid", "patch_size"),
    [
        ("deit_tiny_patch16_224.fb_in1k", (14, 14), 16),
        ("vit_small_patch14_reg4_dinov2.lvd142m", (37, 37), 14),
        ("deit_tiny_distilled_patch16_224.fb_in1k", (14, 14), 16),
        ("vit_base_patch32_clip_quickgelu_224.openai", (7, 7), 32),
    ],
)
def test_a_model_comes_from_files_of_the_hub(
    name, published_grid, patch_size, tmp_path, monkeypatch
):
    architecture = name.split(".")[0]
    backbone = re.sub(r"_224$", "", architecture)
    size = {"width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}
    for option, value in size.items():
        monkeypatch.setitem(NAMED[backbone][1], option, value)
    network = make_backbone(backbone)
    set_weights(network)
    side = published_grid[0] * patch_size
    # As that of DINOv2, without a head.
    config = {
        "architecture": architecture,
        "num_classes": 0,
        "pretrained_cfg": {"input_size": [3, side, side]},
    }
    folder = save_model(tmp_path / "mine", timm_weights(network), config)
    model = SingleNetwork.from_preset(str(folder), num_classes=3)
    assert model.backbone.grid_shape == published_grid
    small = 2 * patch_size
    model = MixViT.from_preset(str(folder), num_classes=3, image_size=small)
    assert model.backbone.grid_shape == (2, 2)
    found, expected = timm_weights(model), timm_weights(network)
    slots = 0 if "dinov2" in name else 2 if "distilled" in name else 1
    np.testing.assert_array_equal(
        found["pos_embed"][:, :slots], expected["pos_embed"][:, :slots]
    )
    assert found["pos_embed"].shape == (1, slots + 4, 8)
    assert model(np.zeros((1, small, small, 3))).shape == (1, 3)


@pytest.mark.parametrize(
    ("name", "changes", "parts"),
    [
        (
            "dinov2",
            {"num_registers": 0},
            "missing=[], unexpected=['reg_token'], shapes={}",
        ),
        (
            "deit3",
            {"pooling": "average"},
            "missing=['fc_norm.weight', 'fc_norm.bias'], "
            "unexpected=['norm.weight', 'norm.bias'], shapes={}",
        ),
        (
            "vit",
            {"pre_norm": True},
            "missing=['norm_pre.weight', 'norm_pre.bias'], "
            "unexpected=['patch_embed.proj.bias'], shapes={}",
        ),
        (
            "average",
            {"norm_after_pooling": False},
            "missing=['norm.weight', 'norm.bias'], "
            "unexpected=['fc_norm.weight', 'fc_norm.bias'], shapes={}",
        ),
    ],
)
def test_weights_of_other_options_are_refused(name, changes, parts):
    with pytest.raises(ValueError, match="`weights` must") as error:
        load_timm_weights(network(name, **changes), drawn_weights(shapes(name)))
    assert str(error.value) == f"{MISFIT} Received: {parts}"


def test_a_table_with_the_prefix_where_there_is_none_is_refused():
    model = network("deit3")
    weights = drawn_weights(shapes("vit"))
    with pytest.raises(ValueError, match="`source_grid` must be") as error:
        load_timm_weights(model, weights)
    assert str(error.value) == (
        "`source_grid` must be (h, w) with as many positions as the table, 10. "
        "Received: source_grid=None"
    )


@pytest.mark.parametrize(
    ("name", "pooling"), [("distilled", "token"), ("vit", "distilled")]
)
def test_a_distillation_token_and_a_head_that_reads_it_go_together(name, pooling):
    model = network(name, pooling=pooling)
    with pytest.raises(ValueError, match="`weights` must have a") as error:
        load_timm_weights(model, drawn_weights(shapes(name)))
    assert str(error.value) == (
        "`weights` must have a distillation token, 'dist_token', if and only if "
        "`model` has pooling='distilled'. "
        f"Received: pooling={pooling!r}, dist_token={name == 'distilled'}"
    )


def test_the_two_heads_of_a_distilled_network_are_left_for_new_ones():
    weights = drawn_weights(shapes("distilled"))
    model = MixViT(network("distilled").backbone, 3)
    conversion = load_timm_weights(model, weights)
    heads = ("head.weight", "head.bias", "head_dist.weight", "head_dist.bias")
    assert set(conversion.unused) == set(heads)
    assert set(conversion.loaded) == set(weights) - set(heads)
    assert model(images(CASES["distilled"])).shape == (2, 3)
