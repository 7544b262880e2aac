"""What each method trains, on what, and how."""

import sys

import keras
import numpy as np
import pytest

from keras_mixvit.backbones import CaiT, ConViT, PreActResNet, ResNet, WideResNet
from keras_mixvit.data import ImageSet, ManifoldMixing, PixelMixing
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConstantMasks,
    CutMixMasks,
    LinearMasks,
    PatchCutMix,
)
from keras_mixvit.models import ManifoldMixUp, MixMo, MixViT, SingleNetwork
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.recipes import Recipe, backbone_for, dataset_for, model_for
from keras_mixvit.recipes._model import transformer_size
from keras_mixvit.training import train
from tests.helpers import numpy, unallocated
from tests.tiny_run import write_images

TRAIN = sys.modules["keras_mixvit.training._train"]
SMALL = {
    "patch_size": 4,
    "width": 8,
    "num_heads": 2,
    "num_blocks": 1,
    "num_class_blocks": 1,
}
IMAGES = ImageSet(
    np.random.default_rng(0).normal(2, 3, (16, 8, 8, 1)).astype("float32"),
    np.arange(16) % 3,
    ("ant", "bee", "cat"),
)


def recipe_of(method="mixvit", backbone="convit", **changes):
    small = SMALL if backbone in ("convit", "cait") else {}
    common = {"method": method, "backbone": backbone, "batch_size": 8, "epochs": 2}
    return Recipe(**{**common, **small, **changes})


def made(*names, **changes):
    """Model and data set of a method on a backbone."""
    recipe = recipe_of(*names, **changes)
    model = model_for(recipe, IMAGES)
    return model, dataset_for(recipe, model, IMAGES)


CUT = BinaryOrLinear(CutMixMasks(1, 2, 2.0), LinearMasks(1, 2, 2.0), 0.5)


@pytest.mark.parametrize(
    ("method", "backbone", "model_class", "backbone_class", "masks"),
    [
        ("mixvit", "convit", MixViT, ConViT, PatchCutMix(4)),
        ("mixvit", "cait", MixViT, CaiT, PatchCutMix(4)),
        ("mimo", "wideresnet", MixMo, WideResNet, ConstantMasks(1, 2)),
        ("linear-mixmo", "preactresnet", MixMo, PreActResNet, None),
        ("linear-mixmo", "cait", MixMo, CaiT, LinearMasks(4, 2, 2.0)),
        ("cut-mixmo", "wideresnet", MixMo, WideResNet, CUT),
        ("cutmix", "wideresnet", SingleNetwork, WideResNet, ConstantMasks(1, 1)),
        ("mixup", "resnet", SingleNetwork, ResNet, None),
        ("manifold-mixup", "wideresnet", ManifoldMixUp, WideResNet, None),
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
    model, dataset = made("cut-mixmo", num_subnetworks=3, alpha=0.7, probability=0.25)
    assert model.num_subnetworks == 3
    assert dataset.masks == BinaryOrLinear(
        PatchCutMix(4, 3, 0.7, single_source_ramp=False), LinearMasks(4, 3, 0.7), 0.25
    )


@pytest.mark.parametrize(
    ("method", "changes", "r"),
    [
        ("mimo", {}, 1.0),
        ("linear-mixmo", {}, 3.0),
        ("cut-mixmo", {"r": 5.0}, 5.0),
    ],
)
def test_the_losses_of_mimo_have_equal_weights_and_those_of_mixmo_r(method, changes, r):
    assert model_for(recipe_of(method, **changes), IMAGES).r == r


@pytest.mark.parametrize(
    ("method", "default"), [("mixvit", "parallel"), ("cut-mixmo", "sum")]
)
def test_inference_is_the_methods_own_or_chosen(method, default):
    assert model_for(recipe_of(method), IMAGES).inference == default
    recipe = recipe_of(method, inference=1, ensemble_of="probabilities")
    model = model_for(recipe, IMAGES)
    assert (model.inference, model.ensemble_of) == (1, "probabilities")


def test_options_of_mixvit_reach_the_model():
    model, dataset = made(
        num_subnetworks=3,
        source_attribution="none",
        attribution_position="early",
        input_mixing="averaged_masks",
        alpha=2.0,
        repetitions=4,
    )
    config = model.get_config()
    assert config["source_attribution"] is None
    assert config["attribution_position"] == "early"
    assert config["input_mixing"] == "averaged_masks"
    assert dataset.masks.alpha == 2.0
    assert (dataset.masks.num_subnetworks, dataset.repetitions) == (3, 4)
    assert len(dataset) == 8


@pytest.mark.parametrize("method", ["mixvit", "mimo", "linear-mixmo", "cut-mixmo"])
@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_pixel_mixing_brings_soft_labels_to_methods_of_several_inputs(method, kind):
    _, dataset = made(method, pixel_mixing=kind, repetitions=2)
    assert dataset.pixel_mixing == PixelMixing(kind)
    assert dataset.repetitions == 2
    assert dataset[0][1].shape == (8, 2, 3)
    # The comparison of MixMo is with the plain single network.
    recipe = recipe_of(method, pixel_mixing=kind, repetitions=2)
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


def test_manifold_mixup_mixes_at_the_places_of_its_model():
    model, dataset = made("manifold-mixup", num_blocks=2)
    assert dataset.manifold_mixing == ManifoldMixing(3, 2.0) == ManifoldMixing()
    assert dataset.pixel_mixing is None
    assert dataset[0][0]["shares"].shape == (8, model.num_layers)
    assert dataset[0][1].shape == (8, 1, 3)


def test_without_mixing_in_pixels_labels_stay_integers():
    assert made()[1][0][1].dtype == "int32"


def test_the_same_seed_makes_the_same_model_and_batches():
    (one, data), (other, again) = made("cut-mixmo", seed=3), made("cut-mixmo", seed=3)
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
        ("wideresnet", {"depth": 16, "widening": 2}, {"depth": 16, "widening": 2}),
        ("preactresnet", {}, {"widening": 1}),
        ("resnet", {}, {"widening": 1}),
    ],
)
def test_residual_networks_are_what_the_options_say(backbone, changes, expected):
    recipe = recipe_of("cutmix", backbone, l2=0.01, **changes)
    config = backbone_for(recipe, IMAGES).get_config()
    mean, std = IMAGES.statistics()
    expected |= {"l2": 0.01, "mean": tuple(mean), "std": tuple(std)}
    assert {name: config[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("names", "changes", "text"),
    [
        (
            ("mixvit", "wideresnet"),
            {},
            r"`backbone` must be a transformer with the method 'mixvit'\. "
            r"Received: backbone='wideresnet'",
        ),
        (
            ("mixmo",),
            {},
            r"`method` must be one of 'mixvit', 'mimo', 'linear-mixmo', 'cut-mixmo', "
            r"'single', 'cutmix', 'mixup', 'manifold-mixup'\. "
            r"Received: method='mixmo'",
        ),
        (
            ("mimo",),
            {"alpha": 2.0},
            r"`alpha` must be left alone with the method 'mimo'\. Received: alpha=2\.0",
        ),
        (
            ("mimo",),
            {"r": 2.0},
            r"`r` must be left alone with the method 'mimo'\. Received: r=2\.0",
        ),
        (
            ("linear-mixmo",),
            {"probability": 0.2},
            r"`probability` must be left alone with the method 'linear-mixmo'\. "
            r"Received: probability=0\.2",
        ),
        (
            ("cut-mixmo",),
            {"source_attribution": "encoding"},
            r"`source_attribution` must be left alone with the method 'cut-mixmo'\. "
            r"Received: source_attribution='encoding'",
        ),
        (
            ("cut-mixmo",),
            {"input_mixing": "all_tokens"},
            r"`input_mixing` must be left alone with the method 'cut-mixmo'\. "
            r"Received: input_mixing='all_tokens'",
        ),
        (
            ("cutmix",),
            {"num_subnetworks": 3},
            r"`num_subnetworks` must be left alone with the method 'cutmix'\. "
            r"Received: num_subnetworks=3",
        ),
        (
            ("cutmix",),
            {"pixel_mixing": "cutmix"},
            r"`pixel_mixing` must be left alone with the method 'cutmix'\. "
            r"Received: pixel_mixing='cutmix'",
        ),
        (
            ("manifold-mixup",),
            {"inference": "sum"},
            r"`inference` must be left alone with the method 'manifold-mixup'\. "
            r"Received: inference='sum'",
        ),
        (
            ("cut-mixmo", "wideresnet"),
            {"width": 16},
            r"`width` must be left alone with the backbone 'wideresnet'\. "
            r"Received: width=16",
        ),
        (
            ("cut-mixmo", "resnet"),
            {"depth": 16},
            r"`depth` must be left alone with the backbone 'resnet'\. "
            r"Received: depth=16",
        ),
        (
            ("cut-mixmo", "cait"),
            {"widening": 2},
            r"`widening` must be left alone with the backbone 'cait'\. "
            r"Received: widening=2",
        ),
        (
            ("cut-mixmo",),
            {"pixel_mixing": "manifold"},
            r"`pixel_mixing` must be one of 'none', 'cutmix', 'mixup', "
            r"'cutmix\+mixup'\. Received: pixel_mixing='manifold'",
        ),
    ],
)
def test_options_without_use_are_refused(names, changes, text):
    with pytest.raises(ValueError, match=text):
        recipe_of(*names, **changes)


@pytest.mark.parametrize(
    ("names", "changes", "rate"),
    [
        (("cut-mixmo", "wideresnet"), {"batch_size": 128}, 0.1),
        (("cut-mixmo", "wideresnet"), {"batch_size": 64}, 0.05),
        (("cut-mixmo", "wideresnet"), {"batch_size": 64, "repetitions": 4}, 0.0125),
        (("cutmix", "preactresnet"), {"batch_size": 256}, 0.2),
        (("mimo", "resnet"), {"learning_rate": 0.3}, 0.3),
        (
            ("mimo", "preactresnet"),
            {
                "learning_rate": 0.2,
                "batch_rule": "linear",
                "base_batch_size": 100,
                "batch_size": 50,
                "repetitions": 2,
            },
            0.05,
        ),
        (("mixvit", "convit"), {"batch_size": 128, "repetitions": 4}, 2e-3),
        (("mixup", "convit"), {"learning_rate": 1e-4}, 1e-4),
        (
            ("mixvit", "convit"),
            {"learning_rate": 1e-3, "batch_rule": "sqrt", "batch_size": 32},
            5e-4,
        ),
    ],
)
def test_rates_follow_the_papers_unless_given(names, changes, rate):
    assert recipe_of(*names, **changes).resolved_learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("names", "changes", "decay", "l2"),
    [
        (("cut-mixmo", "wideresnet"), {}, 0.0, 3e-4),
        (("mimo", "resnet"), {"l2": 0.0, "weight_decay": 1e-4}, 1e-4, 0.0),
        (("mimo", "resnet"), {"optimizer": "adamw"}, 0.05, 0.0),
        (("mixvit", "convit"), {}, 0.05, 0.0),
        (("cut-mixmo", "cait"), {"optimizer": "sgd"}, 0.0, 0.0),
        (("cut-mixmo", "cait"), {"weight_decay": 0.1}, 0.1, 0.0),
    ],
)
def test_decays_are_those_of_the_optimizer_unless_given(names, changes, decay, l2):
    recipe = recipe_of(*names, **changes)
    assert (recipe.resolved_weight_decay, recipe.resolved_l2) == (decay, l2)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Runs `train` up to the first step and returns its model."""
    trained = []

    def stop(self, *args, **kwargs):
        trained.append(self)

    monkeypatch.setattr(MIMOModel, "fit", stop)
    monkeypatch.setattr(TRAIN, "report", lambda *args: [])
    monkeypatch.setattr(TRAIN, "draw_figures", lambda *args: None)
    data = write_images(tmp_path / "three.npz")

    def start(*names, **changes):
        recipe = recipe_of(*names, **{"data": data, **changes})
        train(recipe, str(tmp_path / "run"), single=False, verbose=0)
        (model,) = trained
        return model

    return start


def test_residual_networks_are_trained_with_nesterov_sgd_and_l2_in_the_loss(run):
    model = run("cut-mixmo", "wideresnet", repetitions=2, epochs=5)
    optimizer = model.optimizer
    assert isinstance(optimizer, keras.optimizers.SGD)
    assert (optimizer.momentum, optimizer.nesterov) == (0.9, True)
    assert not optimizer.weight_decay
    schedule = optimizer._learning_rate.get_config()
    # 16 images in batches of 8, each twice, over 5 epochs.
    assert schedule["total_steps"] == 20
    assert schedule["learning_rate"] == pytest.approx(0.1 / 2 * 8 / 128)
    assert model.backbone.l2 == 3e-4
    squares = [np.sum(numpy(v.value) ** 2.0) for v in model.trainable_variables]
    loss = float(numpy(sum(model.losses)))
    assert loss == pytest.approx(3e-4 * sum(squares), rel=1e-4)


@pytest.mark.parametrize("names", [("cut-mixmo", "convit"), ("mixup", "cait")])
def test_transformers_are_trained_with_adamw_and_no_l2_in_the_loss(names, run):
    model = run(*names)
    assert isinstance(model.optimizer, keras.optimizers.AdamW)
    assert model.optimizer.weight_decay == 0.05
    assert model.optimizer._learning_rate.get_config()["learning_rate"] == 2e-3
    assert model.losses == []


def test_the_folder_of_a_run_is_named_after_data_method_and_backbone(run, monkeypatch):
    named = []

    def record(output, name):
        named.append(name)
        return real(output, name)

    real = TRAIN.new_run_folder
    monkeypatch.setattr(TRAIN, "new_run_folder", record)
    run("mimo", "cait", seed=4)
    assert named == ["three-mimo-cait-seed4"]


def config_of(**changes):
    recipe = Recipe(**changes)
    return unallocated(lambda: backbone_for(recipe, IMAGES).get_config())


def test_named_backbones_keep_what_is_not_changed():
    config = config_of(backbone="cait_xs24", num_blocks=1, patch_size=4)
    names = ("width", "num_heads", "num_blocks", "num_class_blocks", "layer_scale")
    assert [config[name] for name in names] == [288, 6, 1, 2, 1e-5]
    assert config["stochastic_depth_rate"] == 0.05
    changed = config_of(
        backbone="cait_xxs24", num_blocks=1, stochastic_depth_rate=0.0, dropout_rate=0.1
    )
    assert (changed["stochastic_depth_rate"], changed["dropout_rate"]) == (0.0, 0.1)


@pytest.mark.parametrize(
    ("changes", "size"),
    [
        ({}, (48, 4, 2, 2)),
        ({"backbone": "convit_mixvit"}, (384, 12, 5, 2)),
        ({"backbone": "convit_mixvit", "width_scale": 0.25}, (96, 12, 5, 2)),
        ({"backbone": "convit_tiny", "width_scale": 1e-3}, (4, 4, 10, 2)),
        ({"width": 32, "num_heads": 2, "width_scale": 2}, (64, 2, 2, 2)),
    ],
)
def test_widths_are_scaled_per_head(changes, size):
    assert tuple(transformer_size(Recipe(**changes)).values()) == size


@pytest.mark.parametrize(("scale", "widening"), [(0.5, 5), (0.01, 1), (1.0, 10)])
def test_widening_is_scaled(scale, widening):
    config = config_of(
        method="cutmix", backbone="wideresnet", widening=10, width_scale=scale
    )
    assert config["widening"] == widening


def test_options_of_backbones_reach_them():
    config = config_of(trunk_attention="self_attention", patch_size=4)
    assert config["trunk_attention"] == "self_attention"
    config = config_of(method="single", backbone="wideresnet", strided="first")
    assert config["strided_conv"] == "first"


def test_a_step_computes_in_the_precision_of_the_recipe():
    for precision, dtype in (("float32", "float32"), ("bfloat16", "bfloat16")):
        recipe = recipe_of("mixvit", "convit", precision=precision)
        model = unallocated(lambda recipe=recipe: model_for(recipe, IMAGES))
        assert (model.compute_dtype, model.variable_dtype) == (dtype, "float32")


def test_options_of_mixmo_reach_the_model_and_the_data():
    options = {"num_stems": 1, "num_classifiers": 2, "member_order": "by_ratio"}
    model, dataset = made("cut-mixmo", input_repetition=0.5, **options)
    assert (model.num_stems, model.num_classifiers) == (1, 2)
    assert (dataset.input_order, dataset.input_repetition) == ("by_ratio", 0.5)


def test_data_can_be_a_share_and_epochs_a_scale():
    _, dataset = made(data_share=0.5, epoch_scale=2.0, batch_size=4)
    # Of 6, 5 and 5 images of the classes; halves are rounded to even.
    assert (len(dataset.x), dataset.epochs) == (7, 4)
