"""What each method trains, on what, and how."""

import keras
import numpy as np
import pytest

from keras_mixvit.backbones import CaiT, ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.data import ManifoldMixing, PixelMixing
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    LinearMasks,
    PatchCutMix,
)
from keras_mixvit.models import ManifoldMixUp, MixMo, MixViT, SingleNetwork
from keras_mixvit.recipes import (
    Recipe,
    backbone_for,
    dataset_for,
    model_for,
)
from keras_mixvit.recipes._model import transformer_size
from tests.helpers import unallocated
from tests.recipes.small import IMAGES, dotted, made, recipe_of

CUT = BinaryOrLinear(CutMixMasks(1, 2, 2.0), LinearMasks(1, 2, 2.0), 0.5)


@pytest.mark.parametrize(
    ("method", "backbone", "model_class", "backbone_class", "masks"),
    [
        ("mixvit", "convit", MixViT, ConViT, PatchCutMix(4)),
        ("mixvit", "cait", MixViT, CaiT, PatchCutMix(4)),
        ("mimo", "wide_resnet", MixMo, WideResNet, ConstantMasks(1, 2)),
        ("linear_mixmo", "preact_resnet", MixMo, PreActResNet, None),
        ("linear_mixmo", "cait", MixMo, CaiT, LinearMasks(4, 2, 2.0)),
        ("cut_mixmo", "wide_resnet", MixMo, WideResNet, CUT),
        ("cutmix", "wide_resnet", SingleNetwork, WideResNet, ConstantMasks(1, 1)),
        ("mixup", "resnet", SingleNetwork, ResNet, None),
        ("manifold_mixup", "wide_resnet", ManifoldMixUp, WideResNet, None),
    ],
)
def test_a_method_has_its_model_and_its_masks(
    method, backbone, model_class, backbone_class, masks
):
    model, dataset = made(method, backbone)
    assert type(model) is model_class
    assert type(model.backbone) is backbone_class
    assert model.name == method.replace("-", "_")
    assert model.num_classes == 3
    patch_size = model.backbone.patch_size
    if masks is None and model_class is MixMo:
        masks = LinearMasks(patch_size, 2, 2.0)
    elif masks is None:
        masks = ConstantMasks(patch_size, 1)
    assert dataset.masks == masks
    assert dataset.masks_shape == model.training_network.input["masks"].shape[1:]
    assert (dataset.epochs, dataset.batch_size, dataset.repetitions) == (2, 8, 1)
    assert len(dataset[0][1]) == 8


def test_cut_mixmo_on_a_transformer_has_boxes_of_whole_patches():
    model, dataset = made(
        "cut_mixmo",
        method__num_subnetworks=3,
        mixing__alpha=0.7,
        mixing__probability=0.25,
    )
    assert model.num_subnetworks == 3
    assert dataset.masks == BinaryOrLinear(
        PatchCutMix(4, 3, 0.7, single_source_ramp=False), LinearMasks(4, 3, 0.7), 0.25
    )


@pytest.mark.parametrize(
    ("method", "changes", "r"),
    [
        ("mimo", {}, 1.0),
        ("linear_mixmo", {}, 3.0),
        ("cut_mixmo", {"method.r": 5.0}, 5.0),
    ],
)
def test_the_losses_of_mimo_have_equal_weights_and_those_of_mixmo_r(method, changes, r):
    assert model_for(recipe_of(method, **changes), IMAGES).r == r


@pytest.mark.parametrize(
    ("method", "default"), [("mixvit", "parallel"), ("cut_mixmo", "sum")]
)
def test_inference_is_the_methods_own_or_chosen(method, default):
    assert model_for(recipe_of(method), IMAGES).inference == default
    recipe = recipe_of(method, method__inference=1, ensemble_of="probabilities")
    model = model_for(recipe, IMAGES)
    assert (model.inference, model.ensemble_of) == (1, "probabilities")


def test_options_of_mixvit_reach_the_model():
    model, dataset = made(
        method__num_subnetworks=3,
        method__source_attribution="none",
        method__attribution_position="early",
        method__input_mixing="averaged_masks",
        mixing__alpha=2.0,
        pairs__repetitions=4,
    )
    config = model.get_config()
    assert config["source_attribution"] is None
    assert config["attribution_position"] == "early"
    assert config["input_mixing"] == "averaged_masks"
    assert dataset.masks.alpha == 2.0
    assert (dataset.masks.num_subnetworks, dataset.repetitions) == (3, 4)
    assert len(dataset) == 8


@pytest.mark.parametrize("method", ["mixvit", "mimo", "linear_mixmo", "cut_mixmo"])
@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_pixel_mixing_brings_soft_labels_to_methods_of_several_inputs(method, kind):
    _, dataset = made(method, pixel_mixing=kind, pairs__repetitions=2)
    assert dataset.pixel_mixing == PixelMixing(kind)
    assert dataset.repetitions == 2
    assert dataset[0][1].shape == (8, 2, 3)
    # The comparison of MixMo is with the plain single network.
    recipe = recipe_of(method, pixel_mixing=kind, pairs__repetitions=2)
    recipe = recipe.baseline()
    plain = dataset_for(recipe, model_for(recipe, IMAGES), IMAGES)
    if method == "mixvit":
        # Its paper compares with a single network of the same regularisation.
        assert plain.pixel_mixing == PixelMixing(kind)
        assert plain.repetitions == 2
        return
    assert plain.pixel_mixing is None
    assert plain.repetitions == 1
    assert plain[0][1].shape == (8, 1)


@pytest.mark.parametrize("method", ["cutmix", "mixup"])
def test_a_single_network_is_mixed_in_pixels_by_its_method(method):
    _, dataset = made(method)
    assert dataset.pixel_mixing == PixelMixing(method, 0.5, 1.0)
    assert dataset.manifold_mixing is None
    assert dataset[0][1].shape == (8, 1, 3)


def test_manifold_mixup_mixes_at_the_layers_of_its_model():
    model, dataset = made("manifold_mixup", backbone__num_blocks=2)
    assert dataset.manifold_mixing == ManifoldMixing(3, 2.0) == ManifoldMixing()
    assert dataset.pixel_mixing is None
    assert dataset[0][0]["shares"].shape == (8, model.num_layers)
    assert dataset[0][1].shape == (8, 1, 3)


def test_without_mixing_in_pixels_labels_stay_integers():
    assert made()[1][0][1].dtype == "int32"


def test_the_same_seed_makes_the_same_model_and_batches():
    (one, data), (other, again) = made("cut_mixmo", seed=3), made("cut_mixmo", seed=3)
    np.testing.assert_array_equal(data[0][0]["images"], again[0][0]["images"])
    np.testing.assert_array_equal(data[0][0]["masks"], again[0][0]["masks"])
    assert data.seed == 3
    if keras.config.backend() == "jax":
        return  # Where the initializers of the tests draw on from model to model.
    for weight, same in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, same)


@pytest.mark.parametrize(
    ("backbone", "changes", "expected"),
    [
        (
            "wide_resnet",
            {"backbone.depth": 16, "backbone.widening": 2},
            {"depth": 16, "widening": 2},
        ),
        ("preact_resnet", {}, {"widening": 1}),
        ("resnet", {}, {"widening": 1}),
    ],
)
def test_residual_networks_are_what_the_options_say(backbone, changes, expected):
    recipe = recipe_of("cutmix", backbone, backbone__l2=0.01, **changes)
    config = backbone_for(recipe, IMAGES).get_config()
    mean, std = IMAGES.statistics()
    expected |= {"l2": 0.01, "mean": tuple(mean), "std": tuple(std)}
    assert {name: config[name] for name in expected} == expected


def config_of(**changes):
    recipe = Recipe(method="single").with_settings(dotted(changes))
    return unallocated(lambda: backbone_for(recipe, IMAGES).get_config())


def test_named_backbones_keep_what_is_not_changed():
    config = config_of(
        backbone="cait_xs24", backbone__num_blocks=1, backbone__patch_size=4
    )
    names = ("width", "num_heads", "num_blocks", "num_class_blocks", "layer_scale")
    assert [config[name] for name in names] == [288, 6, 1, 2, 1e-5]
    assert config["stochastic_depth_rate"] == 0.05
    changed = config_of(
        backbone="cait_xxs24",
        backbone__num_blocks=1,
        backbone__stochastic_depth_rate=0.0,
        backbone__dropout_rate=0.1,
    )
    assert (changed["stochastic_depth_rate"], changed["dropout_rate"]) == (0.0, 0.1)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (48, 4, 2, 2)),
        ({"backbone": "convit_mixvit"}, (384, 12, 5, 2)),
        ({"backbone": "convit_mixvit", "width_scale": 0.25}, (96, 12, 5, 2)),
        ({"backbone": "convit_tiny", "width_scale": 1e-3}, (4, 4, 10, 2)),
        (
            {"backbone.width": 32, "backbone.num_heads": 2, "width_scale": 2},
            (64, 2, 2, 2),
        ),
    ],
)
def test_widths_are_scaled_per_head(changes, size):
    assert tuple(transformer_size(Recipe().with_settings(changes)).values()) == size


@pytest.mark.parametrize(("scale", "widening"), [(0.5, 5), (0.01, 1), (1.0, 10)])
def test_widening_is_scaled(scale, widening):
    config = config_of(
        method="single",
        backbone="wide_resnet",
        backbone__widening=10,
        width_scale=scale,
    )
    assert config["widening"] == widening


def test_options_of_backbones_reach_them():
    config = config_of(
        backbone__trunk_attention="self_attention", backbone__patch_size=4
    )
    assert config["trunk_attention"] == "self_attention"
    config = config_of(
        method="single", backbone="wide_resnet", backbone__strided_conv="first"
    )
    assert config["strided_conv"] == "first"
    for name in ("vit", "deit_tiny_patch16"):
        config = config_of(
            backbone=name,
            backbone__num_registers=2,
            backbone__num_blocks=1,
            backbone__norm_after_pooling=True,
        )
        assert (config["num_registers"], config["num_blocks"]) == (2, 1)
        assert config["norm_after_pooling"] is True


def test_a_step_computes_in_the_precision_of_the_recipe():
    for precision, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        recipe = recipe_of("mixvit", "convit", precision=precision)
        model = unallocated(lambda recipe=recipe: model_for(recipe, IMAGES))
        assert (model.compute_dtype, model.variable_dtype) == (dtype, "float32")


def test_options_of_mixmo_reach_the_model_and_the_data():
    options = {
        "method.num_stems": 1,
        "method.num_classifiers": 2,
        "pairs.input_order": "by_ratio",
    }
    model, dataset = made("cut_mixmo", pairs__input_repetition=0.5, **options)
    assert (model.num_stems, model.num_classifiers) == (1, 2)
    assert (dataset.input_order, dataset.input_repetition) == ("by_ratio", 0.5)


def test_data_can_be_a_share_and_epochs_a_scale():
    _, dataset = made(data__share=0.5, epoch_scale=2.0, batch_size=4)
    # Of 6, 5 and 5 images of the classes; halves are rounded to even.
    assert (len(dataset.x), dataset.epochs) == (7, 4)
