"""What a recipe says, refuses, changes and keeps."""

import dataclasses
import json

import pytest

from keras_mixvit.recipes import Data, Part, Published, Recipe, augmentation_names

ROW = Published("MixMo", "Table 1", "CutMix", (("top1", 84.05, 0.1),), "mine")


def test_a_recipe_survives_json():
    recipe = Recipe(
        method={"name": "cut_mixmo", "inference": 1},
        backbone="wide_resnet",
        schedule={"decay_epochs": (30, 45.5)},
        note="x",
    )
    assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe


def test_what_is_written_is_plain_and_differs_from_the_defaults():
    assert Recipe().to_dict() == {
        "name": "mine",
        "data": {"name": "digits"},
        "backbone": {"name": "convit"},
        "method": {"name": "mixvit"},
        "batch_size": 64,
        "epochs": 60,
    }


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().epochs = 2
    recipe = Recipe(backbone={"width": 8})
    recipe.backbone.options["width"] = 16
    assert recipe.backbone.options == {"width": 8}


def test_parts_are_given_as_strings_dicts_or_parts():
    made = Recipe(backbone={"width": 8}, data="cifar10")
    assert made == Recipe(backbone=Part("convit", width=8), data={"name": "cifar10"})
    assert made == Recipe(backbone=Part(width=8), data=Data("cifar10"))
    assert len({made, Recipe(backbone=Part(width=8), data="cifar10")}) == 1
    assert repr(made.backbone) == "Part('convit', width=8)"


def test_options_that_equal_the_defaults_are_not_kept():
    assert Recipe(backbone={"width": 48}) == Recipe()
    assert Recipe().with_settings(["mixing.owner_per=batch"]) == Recipe()
    assert Recipe(backbone={"name": "convit_mixvit", "width": 384}) == Recipe(
        backbone="convit_mixvit"
    )
    assert Recipe(backbone={"name": "cait_xs24", "width": 192}) != Recipe(
        backbone="cait_xs24"
    )


@pytest.mark.parametrize(
    ("setting", "part", "name", "value"),
    [
        ("method.inference=1", "method", "inference", 1),
        ("method.inference=sum", "method", "inference", "sum"),
        ("backbone.patch_size=2", "backbone", "patch_size", 2),
        ("backbone.patch-size = 2", "backbone", "patch_size", 2),
        ("backbone.layer_scale=1", "backbone", "layer_scale", 1.0),
        ("mixing.alpha=2", "mixing", "alpha", 2.0),
        ("schedule.learning_rate=1e-4", "schedule", "learning_rate", 1e-4),
        ("schedule.decay_epochs=20,40.5", "schedule", "decay_epochs", (20, 40.5)),
        ("schedule.decay_epochs=()", "schedule", "decay_epochs", ()),
        ("method.source_attribution=none", "method", "source_attribution", None),
        ("pairs.keep_on_device=true", "pairs", "keep_on_device", True),
        ("optimizer.clipnorm=1", "optimizer", "clipnorm", 1),
        ("data=a=b.npz", "data", "name", "a=b.npz"),
        ("data=123", "data", "name", "123"),
    ],
)
def test_settings_are_parsed_by_the_type_of_their_option(setting, part, name, value):
    recipe = Recipe().with_settings([setting])
    assert recipe == Recipe(**{part: {name: value}})
    found = getattr(recipe, part)
    found = found.options[name] if isinstance(found, Part) else getattr(found, name)
    assert type(found) is type(value)


def test_settings_of_a_method_come_together():
    settings = [
        "method=cut_mixmo",
        "mixing.masks=fmix",
        "mixing.always_binary=true",
        "method.r=5",
    ]
    recipe = Recipe().with_settings(settings)
    assert recipe.mixing.options == {"masks": "fmix", "always_binary": True}
    assert recipe.method == Part("cut_mixmo", r=5.0)


def test_another_name_keeps_the_options_that_it_takes():
    recipe = Recipe(
        method={"name": "cut_mixmo", "num_subnetworks": 3, "r": 2.0},
        mixing={"masks": "fmix", "alpha": 1.0},
        pixel_mixing={
            "name": "cutmix_and_mixup",
            "mixup_alpha": 0.5,
            "probability": 1.0,
        },
    )
    ours = recipe.with_settings(["method=mixvit", "pixel_mixing=cutmix"])
    assert ours.method == Part("mixvit", num_subnetworks=3)
    assert ours.mixing == Part(alpha=1.0)
    assert ours.pixel_mixing == Part("cutmix", probability=1.0)
    assert recipe.with_settings(["pixel_mixing=none"]).pixel_mixing == Part("none")
    # What you set yourself is not dropped.
    with pytest.raises(ValueError, match=r"`method\.r` must not be set with the met"):
        recipe.with_settings(["method=mixvit", "method.r=2.5"])


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["epochs"], r"`settings` must be of the form key=value\. Rec"),
        (
            ["backbone.wdith=3"],
            r"`setting` must be a known name\. Nearest: 'backbone\.width', "
            r".*\. Received: setting='backbone\.wdith'",
        ),
        (
            ["width=3"],
            r"`setting` must be a known name\. Nearest: 'backbone\.width'\. "
            r"Received: setting='width'",
        ),
        (["published=3"], r"`setting` must be a known name\. "),
        (["epochs=3.5"], r"`epochs` must be an integer\. Received: epochs='3\.5'"),
        (
            ["backbone.recompute=maybe"],
            r"`backbone\.recompute` must be true or false\. Rec",
        ),
        (
            ["mixing.alpha=x"],
            r"`mixing\.alpha` must be a number\. Received: mixing\.alpha='x'",
        ),
        (
            ["schedule.decay_epochs=1,x"],
            r"`schedule\.decay_epochs` must be numbers or none\. Rec",
        ),
        (
            ["data.protocol=papers"],
            r"`data\.protocol` must be one of 'validation', 'paper'\. Received: "
            r"data\.protocol='papers'",
        ),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, text):
    with pytest.raises(ValueError, match=text):
        Recipe().with_settings(settings)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"backbnoe": 3}, r"`setting` must be a known name\. Nearest: 'backbone'"),
        ({"epochs": "3"}, r"`epochs` must be an integer\. Received: epochs='3'"),
        ({"epochs": True}, r"`epochs` must be an integer\. Received: epochs=True"),
        ({"name": None}, r"`name` must be a string\. Received: name=None"),
        ({"backbone": 3}, r"`backbone` must be a `Part`, a string or a dict\. Rec"),
        ({"loss": "x"}, r"`loss` must be a `Loss` or a dict\. Received: loss='x'"),
        ({"pairs": "x"}, r"`pairs` must not have a name\. Received: pairs='x'"),
    ],
)
def test_wrong_dictionaries_are_refused_by_name(values, text):
    with pytest.raises(ValueError, match=text):
        Recipe.from_dict(values)


def test_unknown_fields_are_refused():
    with pytest.raises(ValueError, match="`setting` must be a known name"):
        Recipe().replace(epoch=3)


def test_a_scaled_recipe_says_so():
    recipe = Recipe(epochs=150, schedule={"decay_epochs": (125, 140)})
    short = recipe.scaled(0.1)
    assert (short.total_epochs, short.is_scaled, recipe.is_scaled) == (15, True, False)
    assert short.scaled(0.5).total_epochs == 8
    assert recipe.scaled(1e-4).total_epochs == 1
    with pytest.raises(ValueError, match="`factor` must be a positive finite number"):
        recipe.scaled(0)


def test_members_of_an_ensemble_have_seeds_of_their_own():
    seeds = [
        member.seed
        for seed in range(3)
        for member in Recipe(num_members=2, seed=seed).members()
    ]
    assert sorted(set(seeds)) == seeds == list(range(6))
    (alone,) = Recipe(seed=5).members()
    assert alone.seed == 5
    ensemble = Recipe(method="single", num_members=2, ensemble_of="probabilities")
    assert {member.ensemble_of for member in ensemble.members()} == {"logits"}


def test_the_baseline_is_a_single_network_without_options_of_the_method():
    recipe = Recipe(
        method={"name": "cut_mixmo", "num_subnetworks": 3},
        backbone={"name": "wide_resnet", "widening": 2},
        mixing={"masks": "fmix"},
        pixel_mixing="cutmix",
        batch_size=8,
        pairs={"repetitions": 2, "input_order": "random", "apply_on": "device"},
        num_members=3,
    )
    single = recipe.baseline()
    assert single == Recipe(
        name="mine-single",
        method="single",
        backbone={"name": "wide_resnet", "widening": 2},
        batch_size=8,
    )
    pixels = {"name": "mixup", "visible_share": False, "alpha": 0.5}
    ours = Recipe(pairs={"repetitions": 2}, pixel_mixing=pixels).baseline()
    assert ours.repetitions == 2
    assert ours.pixel_mixing == Part("mixup", alpha=0.5)


@pytest.mark.parametrize("method", ["mixvit", "cut_mixmo"])
def test_the_baseline_with_cutmix_takes_as_many_steps_on_the_same_images(method):
    pairs = {"repetitions": 2, "apply_on": "device"}
    recipe = Recipe(method=method, pairs=pairs, pixel_mixing="mixup", epochs=7)
    made = recipe.baseline(cutmix=True)
    assert made == Recipe(
        name="mine-single-cutmix",
        method="single",
        pairs=pairs,
        pixel_mixing="cutmix",
        epochs=7,
    )


def test_names_of_augmentations_are_told():
    assert {"none", "crop_flip", "augmix", "deit"} <= set(augmentation_names())


def test_published_figures_are_told_by_metric():
    assert ROW.value("top1") == 84.05
    with pytest.raises(ValueError, match="`metric` must be a known name"):
        ROW.value("top5")
