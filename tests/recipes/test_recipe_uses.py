"""Which options go with which part, and what they are unless given."""

import pytest

from keras_mixvit.recipes import (
    Recipe,
    model_for,
    optimizer_for,
)
from tests.recipes.small import IMAGES, recipe_of


@pytest.mark.parametrize(
    ("names", "changes", "text"),
    [
        (
            ("mixvit", "wide_resnet"),
            {},
            r"`backbone` must be a transformer with the method 'mixvit'\. On residual "
            r"networks, take 'cut_mixmo', 'linear_mixmo', 'mimo', 'manifold_mixup' or "
            r"'single'\. "
            r"Received: backbone='wide_resnet'",
        ),
        (
            ("mixmo",),
            {},
            r"`method` must be a known name\. Nearest: 'mimo', 'cut_mixmo', "
            r"'linear_mixmo'\. Received: method='mixmo'",
        ),
        (
            ("mimo",),
            {"mixing.alpha": 2.0},
            r"`mixing\.alpha` must not be set with the method 'mimo'\. "
            r"Received: mixing\.alpha=2\.0",
        ),
        (
            ("mimo",),
            {"method.r": 2.0},
            r"`method\.r` must not be set with the method 'mimo'\. "
            r"Received: method\.r=2\.0",
        ),
        (
            ("linear_mixmo",),
            {"mixing.probability": 0.2},
            r"`mixing\.probability` must not be set with the method 'linear_mixmo'\. "
            r"Received: mixing\.probability=0\.2",
        ),
        (
            ("cut_mixmo",),
            {"method.source_attribution": "encoding"},
            r"`method\.source_attribution` must not be set with the method "
            r"'cut_mixmo'\. Received: method\.source_attribution='encoding'",
        ),
        (
            ("cut_mixmo",),
            {"method.input_mixing": "all_tokens"},
            r"`method\.input_mixing` must not be set with the method 'cut_mixmo'\. "
            r"Received: method\.input_mixing='all_tokens'",
        ),
        (
            ("cutmix",),
            {"method.num_subnetworks": 3},
            r"`method\.num_subnetworks` must not be set with the method 'single'\. "
            r"Received: method\.num_subnetworks=3",
        ),
        (
            ("manifold_mixup",),
            {"method.inference": "sum"},
            r"`method\.inference` must not be set with the method 'manifold_mixup'\. "
            r"Received: method\.inference='sum'",
        ),
        (
            ("cut_mixmo", "wide_resnet"),
            {"backbone.width": 16},
            r"`backbone\.width` must not be set with the backbone 'wide_resnet'\. "
            r"Received: backbone\.width=16",
        ),
        (
            ("cut_mixmo", "resnet"),
            {"backbone.depth": 16},
            r"`backbone\.depth` must not be set with the backbone 'resnet'\. "
            r"Received: backbone\.depth=16",
        ),
        (
            ("cut_mixmo", "cait"),
            {"backbone.widening": 2},
            r"`backbone\.widening` must not be set with the backbone 'cait'\. "
            r"Received: backbone\.widening=2",
        ),
        (
            ("cut_mixmo",),
            {"pixel_mixing": "manifold"},
            r"`pixel_mixing` must be a known name\. Known: 'none', 'cutmix', "
            r"'mixup', 'cutmix_and_mixup'\. Received: pixel_mixing='manifold'",
        ),
    ],
)
def test_options_without_use_are_refused(names, changes, text):
    with pytest.raises(ValueError, match=text):
        recipe_of(*names, **changes)


@pytest.mark.parametrize(
    ("names", "changes", "rate"),
    [
        (("cut_mixmo", "wide_resnet"), {"batch_size": 128}, 0.1),
        (("cut_mixmo", "wide_resnet"), {"batch_size": 64}, 0.05),
        (
            ("cut_mixmo", "wide_resnet"),
            {"batch_size": 64, "pairs.repetitions": 4},
            0.0125,
        ),
        (("cutmix", "preact_resnet"), {"batch_size": 256}, 0.2),
        (("mimo", "resnet"), {"schedule.learning_rate": 0.3}, 0.3),
        (
            ("mimo", "preact_resnet"),
            {
                "schedule.learning_rate": 0.2,
                "schedule.batch_rule": "linear",
                "schedule.base_batch_size": 100,
                "batch_size": 50,
                "pairs.repetitions": 2,
            },
            0.05,
        ),
        (("mixvit", "convit"), {"batch_size": 128, "pairs.repetitions": 4}, 2e-3),
        (("mixup", "convit"), {"schedule.learning_rate": 1e-4}, 1e-4),
        (
            ("mixvit", "convit"),
            {
                "schedule.learning_rate": 1e-3,
                "schedule.batch_rule": "sqrt",
                "batch_size": 32,
            },
            5e-4,
        ),
    ],
)
def test_rates_follow_the_papers_unless_given(names, changes, rate):
    assert recipe_of(*names, **changes).learning_rate == pytest.approx(rate)


@pytest.mark.parametrize(
    ("names", "changes", "decay", "l2"),
    [
        (("cut_mixmo", "wide_resnet"), {}, 0.0, 3e-4),
        (
            ("mimo", "resnet"),
            {"backbone.l2": 0.0, "optimizer.weight_decay": 1e-4},
            1e-4,
            0.0,
        ),
        (("mimo", "resnet"), {"optimizer": "adamw"}, 0.05, 0.0),
        (("mixvit", "convit"), {}, 0.05, 0.0),
        (("cut_mixmo", "cait"), {"optimizer": "sgd"}, 0.0, 0.0),
        (("cut_mixmo", "cait"), {"optimizer.weight_decay": 0.1}, 0.1, 0.0),
    ],
)
def test_decays_are_those_of_the_optimizer_unless_given(names, changes, decay, l2):
    recipe = recipe_of(*names, **changes)
    model = model_for(recipe, IMAGES)
    found = optimizer_for(recipe, model, steps_per_epoch=1).weight_decay
    assert (found or 0.0, getattr(model.backbone, "l2", 0.0)) == (decay, l2)


def test_what_is_set_with_a_new_name_is_never_dropped():
    start = Recipe(backbone={"patch_size": 4})
    settings = {"backbone": "wide_resnet", "method": "single", "backbone.patch_size": 4}
    with pytest.raises(
        ValueError, match=r"`backbone\.patch_size` must not be set with"
    ):
        start.with_settings(settings)
    # Without it, what the new backbone does not have goes.
    del settings["backbone.patch_size"]
    assert start.with_settings(settings).backbone.options == {}


def test_settings_have_names_of_strings():
    with pytest.raises(ValueError, match=r"`settings` must be a dict, or a list"):
        Recipe().with_settings({1: 2})


def test_the_baseline_keeps_images_on_the_device():
    pairs = {"apply_on": "device", "keep_on_device": True}
    made = Recipe(method="mimo", pairs=pairs).baseline()
    assert made.pairs.options == pairs
