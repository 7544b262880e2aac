"""What a recipe says, refuses, changes and keeps."""

import dataclasses
import json

import pytest

from keras_mixvit.recipes import Published, Recipe, augmentation_names

ROW = Published("MixMo", "Table 1", "CutMix", (("top1", 84.05, 0.1),), "mine")


def test_a_recipe_survives_json():
    recipe = Recipe(
        method="cut-mixmo",
        backbone="wideresnet",
        decay_epochs=(30, 45.5),
        inference=1,
        published=(ROW,),
        note="x",
    )
    again = Recipe.from_dict(json.loads(json.dumps(recipe.to_dict())))
    assert again == recipe
    assert again.published[0].value("top1") == 84.05


def test_every_field_is_plain():
    values = Recipe().to_dict()
    plain = (str, int, float, bool, type(None), tuple)
    assert all(isinstance(value, plain) for value in values.values())
    assert set(values) == {field.name for field in dataclasses.fields(Recipe)}


def test_a_recipe_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Recipe().epochs = 2


@pytest.mark.parametrize(
    ("setting", "name", "value"),
    [
        ("inference=1", "inference", 1),
        ("inference=sum", "inference", "sum"),
        ("inference=none", "inference", None),
        ("patch_size=2", "patch_size", 2),
        ("patch-size = 2", "patch_size", 2),
        ("alpha=2", "alpha", 2.0),
        ("alpha=None", "alpha", None),
        ("learning_rate=1e-4", "learning_rate", 1e-4),
        ("decay_epochs=20,40.5", "decay_epochs", (20, 40.5)),
        ("decay_epochs=", "decay_epochs", ()),
        ("source_attribution=none", "source_attribution", "none"),
        ("member_order=none", "member_order", None),
        ("data=a=b.npz", "data", "a=b.npz"),
    ],
)
def test_settings_are_parsed_by_the_type_of_their_field(setting, name, value):
    recipe = Recipe().with_settings([setting])
    assert recipe == Recipe(**{name: value})
    assert type(getattr(recipe, name)) is type(value)


def test_settings_of_a_method_come_together():
    settings = ["method=cut-mixmo", "masks=fmix", "always_binary=true", "r=5"]
    recipe = Recipe().with_settings(settings)
    assert (recipe.masks, recipe.always_binary, recipe.r) == ("fmix", True, 5.0)


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        (["epochs"], r"`settings` must be of the form key=value\. Rec"),
        (
            ["wdith=3"],
            r"`setting` must be a known name\. Nearest: 'width', 'depth', "
            r"'width_scale'\. Received: setting='wdith'",
        ),
        (["published=3"], r"`setting` must be a known name\. "),
        (["epochs=3.5"], r"`epochs` must be an integer\. Received: epochs='3\.5'"),
        (["nesterov=maybe"], r"`nesterov` must be true or false\. Rec"),
        (["alpha=x"], r"`alpha` must be a number or none\. Received: alpha='x'"),
        (["decay_epochs=1,x"], r"`decay_epochs` must be numbers or none\. Rec"),
    ],
)
def test_wrong_settings_are_refused_by_name(settings, text):
    with pytest.raises(ValueError, match=text):
        Recipe().with_settings(settings)


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ({"wdith": 3}, r"`setting` must be a known name\. Nearest: 'width'"),
        ({"epochs": "3"}, r"`epochs` must be an integer\. Received: epochs='3'"),
        ({"epochs": True}, r"`epochs` must be an integer\. Received: epochs=True"),
        ({"nesterov": 1}, r"`nesterov` must be true or false\. Received: nesterov=1"),
        ({"name": None}, r"`name` must be a string\. Received: name=None"),
        (
            {"published": [{"papre": "MixMo"}]},
            r"`setting` must be a known name\. Nearest: 'paper'",
        ),
    ],
)
def test_wrong_dictionaries_are_refused_by_name(values, text):
    with pytest.raises(ValueError, match=text):
        Recipe.from_dict(values)


def test_a_change_drops_the_published_figures_and_another_seed_does_not():
    recipe = Recipe(published=(ROW,))
    assert recipe.replace(seed=1, note="again").published == (ROW,)
    assert recipe.replace(epochs=60).published == (ROW,)
    assert recipe.replace(epochs=30).published == ()
    with pytest.raises(ValueError, match="`setting` must be a known name"):
        recipe.replace(epoch=3)


def test_a_scaled_recipe_says_so():
    recipe = Recipe(epochs=150, decay_epochs=(125, 140), published=(ROW,))
    short = recipe.scaled(0.1)
    assert (short.total_epochs, short.is_scaled, recipe.is_scaled) == (15, True, False)
    assert short.published == ()
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


def test_the_baseline_is_a_single_network_without_options_of_the_method():
    recipe = Recipe(
        method="cut-mixmo",
        backbone="wideresnet",
        widening=2,
        num_subnetworks=3,
        masks="fmix",
        pixel_mixing="cutmix",
        batch_size=8,
        repetitions=2,
        num_members=3,
    )
    single = recipe.baseline()
    assert (single.method, single.widening, single.batch_size) == ("single", 2, 8)
    assert (single.repetitions, single.pixel_mixing) == (1, "none")
    assert single.num_members == 1
    ours = Recipe(repetitions=2, pixel_mixing="mixup").baseline()
    assert (ours.repetitions, ours.pixel_mixing) == (2, "mixup")


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"backbone": "vgg"}, r"`backbone` must be a known name\. Known: 'convit', "),
        ({"backbone": "cait_xss24"}, r"Nearest: 'cait_xs24', 'cait_xxs24'"),
        ({"augmentation": "crop-filp"}, r"Nearest: 'crop-flip'"),
        (
            {"source_attribution": "both"},
            r"`source_attribution` must be one of 'embedding', 'encoding', 'none'\. "
            r"Received: source_attribution='both'",
        ),
        (
            {"epochs": 0},
            r"`epochs` must be an integer of at least 1\. Received: epochs=0",
        ),
        ({"batch_size": 1.5}, r"`batch_size` must be an integer\. Rec"),
        (
            {"batch_size": 64, "repetitions": 3},
            r"`repetitions` must divide `batch_size`\. "
            r"Received: repetitions=3, batch_size=64",
        ),
        ({"seed": -1}, r"`seed` must be an integer of at least 0\. Received: seed=-1"),
        ({"label_smoothing": 1.0}, r"`label_smoothing` must be in \[0, 1\)\. Rec"),
        ({"random_erasing": 1.5}, r"`random_erasing` must be in \[0, 1\]\. Rec"),
        (
            {"learning_rate": float("nan")},
            r"`learning_rate` must be a positive finite number\. "
            r"Received: learning_rate=nan",
        ),
        ({"learning_rate": float("inf")}, r"`learning_rate` must be a positive fin"),
        (
            {"weight_decay": -0.1},
            r"`weight_decay` must not be negative\. Received: weight_decay=-0\.1",
        ),
        ({"data_share": 0}, r"`data_share` must be in \(0, 1\]\. Received: data_sh"),
        ({"momentum": 0.5}, r"`momentum` must be left alone with the optimizer 'ad"),
        (
            {"ensemble_of": "probabilities", "method": "single"},
            r"`ensemble_of` must be left alone with one network of one subnetwork\.",
        ),
        ({"pixel_alpha": 0.5}, r"`pixel_alpha` must be left alone without mixing in"),
        ({"pixel_partners": "batch"}, r"`pixel_partners` must be left alone without"),
        (
            {"pixel_mixing": "cutmix", "pixel_mixup_alpha": 0.5},
            r"`pixel_mixup_alpha` must be left alone without 'cutmix\+mixup'\.",
        ),
        ({"apply_on": "device"}, r"`apply_on` must be left alone where images are n"),
        ({"visible_share": False}, r"`visible_share` must be left alone without mix"),
        (
            {"epochs": 30, "decay_epochs": (125, 140)},
            r"`decay_epochs` must be in \(0, epochs\); `epoch_scale` shortens a "
            r"training with its schedule\. Received: decay_epochs=\(125, 140\), "
            r"epochs=30",
        ),
        ({"epochs": 1, "warmup_epochs": 1}, r"`warmup_epochs` must be in \[0, epoch"),
    ],
)
def test_wrong_recipes_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        Recipe(**changes)


def test_names_of_augmentations_are_told():
    assert {"none", "crop-flip", "augmix", "deit"} <= set(augmentation_names())


def test_published_figures_are_told_by_metric():
    assert ROW.value("top1") == 84.05
    with pytest.raises(ValueError, match="`metric` must be a known name"):
        ROW.value("top5")
