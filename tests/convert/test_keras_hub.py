"""The ViT of keras-hub against ours, and what cannot be converted."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import KerasBackbone, MixMo, MixViT, SingleNetwork, ViT
from keras_mixvit.convert import keras_hub_backbone
from tests.convert.keras_hub_cases import CASES, images, stand_in, stored
from tests.convert.test_timm_vit import STORED
from tests.helpers import numpy
from tests.layers.compiled import call

EVERY_CASE = pytest.mark.parametrize("name", CASES)
CLOSE = {"rtol": 1e-5, "atol": 1e-5}


@EVERY_CASE
def test_features_and_logits_are_those_of_keras_hub(name):
    model = SingleNetwork.from_keras_hub(stand_in(name))
    assert type(model.backbone) is ViT
    found = numpy(call(model.backbone, images(name)))
    np.testing.assert_allclose(found, stored(name)["features"], **CLOSE)
    found = numpy(call(model, images(name)))
    np.testing.assert_allclose(found, stored(name)["logits"], **CLOSE)
    sizes = [np.prod(weight.shape) for weight in stand_in(name).weights]
    assert model.count_params() == sum(sizes)


def test_the_options_are_those_of_keras_hub():
    options = {"dropout_rate": 0.1, "attention_dropout": 0.2}
    backbone = keras_hub_backbone(stand_in("rectangular", options))
    assert (backbone.image_shape, backbone.patch_size) == ((8, 12, 1), 4)
    assert (backbone.num_blocks, backbone.num_class_blocks) == (2, 2)
    assert (backbone.width, backbone.num_heads) == (22, 2)
    assert (backbone.dropout_rate, backbone.attention_dropout_rate) == (0.1, 0.2)
    assert backbone.epsilon == 1e-2
    again = ViT.from_config(backbone.get_config())
    assert again.get_config() == backbone.get_config()


def test_changes_are_arguments_of_the_backbone():
    changes = {"mean": 127.5, "std": 127.5, "num_class_blocks": 1}
    backbone = keras_hub_backbone(stand_in("token"), changes=changes)
    assert (backbone.num_blocks, backbone.num_class_blocks) == (2, 1)
    pixels = 127.5 * (images("token") + 1)
    found = numpy(call(backbone, pixels))
    np.testing.assert_allclose(found, stored("token")["features"], rtol=0, atol=1e-4)


def test_every_subnetwork_of_mixvit_starts_as_the_network_of_keras_hub():
    model = MixViT.from_keras_hub(stand_in("token"), source_attribution=None)
    found = numpy(call(model.inference_network, images("token")))
    for m in range(2):
        np.testing.assert_allclose(found[:, m], stored("token")["logits"], **CLOSE)


def test_every_subnetwork_of_mixmo_starts_as_the_network_of_keras_hub():
    model = MixMo.from_keras_hub(stand_in("token"), mixing_scale=1.0)
    found = numpy(call(model.inference_network, images("token")))
    for m in range(2):
        np.testing.assert_allclose(found[:, m], stored("token")["logits"], **CLOSE)


def test_a_backbone_gets_new_heads():
    model = MixViT.from_keras_hub(
        stand_in("token").backbone,
        num_classes=3,
        backbone_options={"stochastic_depth_rate": 0.1},
        num_subnetworks=3,
    )
    assert (model.num_classes, model.num_subnetworks) == (3, 3)
    assert model.backbone.stochastic_depth_rate == 0.1
    found = numpy(call(model.backbone, images("token")))
    np.testing.assert_allclose(found, stored("token")["features"], **CLOSE)


def test_new_heads_replace_a_head_that_cannot_be_kept():
    classifier = stand_in("token", classifier={"intermediate_dim": 4, "dropout": 0.5})
    model = SingleNetwork.from_keras_hub(classifier, num_classes=3)
    assert model.num_classes == 3


def test_positions_are_resized_as_timm_does_it():
    table = STORED.of("resized")["from"][0]
    # The stored table has five features, this network eight.
    table = np.pad(table, ((0, 0), (0, 3)))
    path = "vit_patching_and_embedding/position_embedding/embeddings"
    source = stand_in("token", {"image_shape": (12, 12, 3)}, values={path: table})
    model = SingleNetwork.from_keras_hub(source, image_size=(8, 16))
    backbone = model.backbone
    assert backbone.grid_shape == (2, 4)
    found = numpy(backbone.body.get_layer("position").table)
    expected = STORED.of("resized")["to"][0, 1:].reshape(2, 4, 5)
    np.testing.assert_allclose(found[..., :5], expected, atol=5e-6)
    np.testing.assert_array_equal(found[..., 5:], 0)
    prefix = numpy(backbone.body.get_layer("prefix_tokens").positions)
    np.testing.assert_array_equal(prefix, table[:1])
    assert model(np.zeros((1, 8, 16, 3))).shape == (1, 5)


@pytest.mark.parametrize(
    ("backbone", "text"),
    [
        (
            {"use_mha_bias": False},
            "`model` must have use_mha_bias=True: `ViT` has no other option. "
            "Received: use_mha_bias=False",
        ),
        (
            {"use_mlp_bias": False},
            "`model` must have use_mlp_bias=True: `ViT` has no other option. "
            "Received: use_mlp_bias=False",
        ),
        (
            {"use_patch_bias": False},
            "`model` must have use_patch_bias=True: `ViT` has no other option. "
            "Received: use_patch_bias=False",
        ),
        (
            {"patch_size": (4, 2)},
            "`model` must have square patches: `patch_size` of `ViT` is one integer. "
            "Received: patch_size=(4, 2)",
        ),
        (
            {"num_layers": 1},
            "`model` must have `num_layers` of at least 2: `ViT` has a body and a "
            "trunk. Received: num_layers=1",
        ),
        (
            {"num_layers": 4},
            "`model` must have the weights of keras-hub's ViT, without LoRA and not "
            "quantized. Received: missing=['vit_encoder/transformer_block_4/",
        ),
    ],
)
def test_backbones_that_our_vit_is_not_are_refused(backbone, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}"):
        keras_hub_backbone(stand_in("token", backbone))


def test_channels_first_is_refused():
    model = stand_in("token").backbone
    model.data_format = "channels_first"
    text = (
        "`model` must have data_format='channels_last'. "
        "Received: data_format='channels_first'"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        keras_hub_backbone(model)


@pytest.mark.parametrize(
    ("name", "head", "text"),
    [
        (
            "token",
            {"pooling": "gap"},
            "`model` must have pooling='token': the average of `ViT` leaves out the "
            "class token. Received: pooling='gap'",
        ),
        (
            "average",
            {"pooling": "token"},
            "`model` must have pooling='gap' without a class token. "
            "Received: pooling='token'",
        ),
        (
            "token",
            {"intermediate_dim": 4},
            "`model` must have intermediate_dim=None to keep its head. For another "
            "head, give `num_classes`. Received: intermediate_dim=4",
        ),
        (
            "token",
            {"dropout": 0.5},
            "`model` must have dropout=0.0 to keep its head. For another head, give "
            "`num_classes`. Received: dropout=0.5",
        ),
    ],
)
def test_heads_that_our_models_lack_are_refused(name, head, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        SingleNetwork.from_keras_hub(stand_in(name, classifier=head))


@pytest.mark.parametrize(
    ("options", "text"),
    [
        (
            {"changes": {"patch_size": 2}},
            "`changes` must not have `image_shape` (use `image_size`), `patch_size` or "
            "`num_blocks` (the weights decide them). Received: changes=['patch_size']",
        ),
        (
            {"model": keras.Sequential()},
            "`model` must be a `ViTBackbone` or a `ViTImageClassifier` of keras-hub. "
            "Received: model='Sequential'",
        ),
        (
            {"image_size": 10},
            "`patch_size` must divide the image size. "
            "Received: patch_size=4, image_size=(10, 10)",
        ),
    ],
)
def test_arguments_that_do_not_fit_are_refused(options, text):
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        keras_hub_backbone(**{"model": stand_in("token"), **options})


def test_a_backbone_without_a_head_needs_the_number_of_classes():
    text = (
        "`num_classes` must be given for a `ViTBackbone`, which has no head. "
        "Received: num_classes=None"
    )
    with pytest.raises(ValueError, match=re.escape(text)):
        MixViT.from_keras_hub(stand_in("token").backbone)
    text = "`backbone_options` must be a dict of arguments, or None. "
    with pytest.raises(ValueError, match=re.escape(text)):
        MixViT.from_keras_hub(stand_in("token"), backbone_options=3)


@pytest.mark.parametrize("part", ["classifier", "backbone"])
def test_a_cut_of_the_vit_of_keras_hub_names_the_conversion(part):
    model = stand_in("token")
    model = model if part == "classifier" else model.backbone
    text = (
        "`model` must have a layer for each block; in the ViT of keras-hub, one layer "
        "holds all blocks. Use `keras_mixvit.convert.keras_hub_backbone(model)`. "
        f"Received: model={type(model).__name__!r}"
    )
    with pytest.raises(ValueError, match=f"^{re.escape(text)}$"):
        KerasBackbone(model, "vit_encoder")
