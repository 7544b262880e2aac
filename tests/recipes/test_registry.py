"""Named recipes and the published rows they belong to."""

import inspect
import json
from collections import Counter

import pytest

from keras_mixvit.backbones._named import NAMED
from keras_mixvit.recipes import (
    Recipe,
    published_rows,
    recipe,
    recipe_aliases,
    recipes,
)
from keras_mixvit.recipes._flat import flat
from keras_mixvit.recipes._optimization import schedule_for
from keras_mixvit.recipes._recipe_parts import NAMES, settings_of
from keras_mixvit.schedules import WarmupStepDecay

# Rows by paper and table, and how many of them are only quoted.
ROWS = {
    ("MixViT", "Table 1"): (39, 35),
    ("MixViT", "Table 2a"): (9, 0),
    ("MixViT", "Table 2b"): (9, 0),
    ("MixViT", "Table 2c"): (3, 0),
    ("MixViT", "Table 2d"): (3, 0),
    ("MixViT", "Table 3"): (8, 2),
    ("MixViT", "Table 4"): (4, 0),
    ("MixViT", "Table 5"): (6, 0),
    ("MixViT", "Table 6"): (7, 0),
    ("MixViT", "Table 7"): (11, 0),
    ("MixViT", "Table 8"): (6, 0),
    ("MixViT", "Table 9"): (7, 6),
    ("MixViT", "Table 10"): (8, 7),
    ("MixViT", "Fig. 6"): (8, 0),
    ("MixViT", "Fig. 7"): (8, 0),
    ("MixMo", "Table 1"): (39, 7),
    ("MixMo", "Table 2"): (7, 0),
    ("MixMo", "Table 3"): (5, 0),
    ("MixMo", "Table 4"): (12, 2),
    ("MixMo", "Table 5"): (33, 3),
    ("MixMo", "Table 6"): (3, 0),
    ("MixMo", "Table 8"): (39, 9),
    ("MixMo", "Table 9"): (70, 0),
    ("MixMo", "Section 6.9"): (6, 0),
    ("MixMo", "Fig. 6"): (5, 0),
    ("MixMo", "Fig. 7"): (11, 0),
    ("MixMo", "Fig. 8"): (7, 0),
    ("MixMo", "Fig. 9"): (6, 0),
    ("MixMo", "Fig. 10"): (43, 0),
    ("MixMo", "Fig. 12"): (11, 0),
    ("MixMo", "Fig. 14"): (3, 0),
    ("MixMo", "Fig. 15"): (42, 0),
}


def test_every_row_of_the_tables_is_there():
    found = Counter((row.paper, row.table) for row in published_rows())
    quoted = Counter(
        (row.paper, row.table) for row in published_rows() if row.recipe is None
    )
    counts = {place: (found[place], quoted[place]) for place in found}
    assert counts == ROWS


def test_a_row_has_its_recipe_and_a_recipe_its_rows():
    rows = [row for row in published_rows() if row.recipe is not None]
    names = {made.name for made in recipes()}
    by_recipe = {name: published_rows(recipe=name) for name in names}
    assert sum(map(len, by_recipe.values())) == len(rows)
    for row in rows:
        assert row in by_recipe[row.recipe]
    assert published_rows(recipe="digits") == []
    with pytest.raises(ValueError, match=r"`recipe` must be a known name\. Nearest:"):
        published_rows(recipe="mixvit-convti")


def test_recipes_have_names_of_their_own_and_differ():
    found = recipes()
    assert len({made.name for made in found}) == len(found)
    plain = [made.replace(name="", note="") for made in found]
    assert len(set(plain)) == len(plain)


@pytest.mark.parametrize(
    ("rows", "figures"),
    [
        ("MixMo Table 1: cifar100: cut-mixmo-cutmix, b = 4*", (85.77, 97.42, 0.524)),
        ("MixMo Table 1: cifar10: mimo, b = 2*", (96.38, 0.121)),
        ("MixMo Table 2: fmix", (83.76, 0.602)),
        ("MixMo Table 3: 1-encoder-by-ratio", (0.598,)),
        ("MixMo Table 4: cut-mixmo, N = 1, AugMix", (71.1, 89.5, 1.16)),
        ("MixMo Table 5: w = 3, cut-mixmo, b = 4*", (70.24, 1.19)),
        ("MixMo Table 6: N = 3", (109.8, 86.81, 97.85, 0.464)),
        (
            "MixMo Table 8: cifar100: cutmix, b = 1, N = 2",
            (85.46, 96.90, 0.574, 0.575, 0.0362),
        ),
        ("MixMo Table 9: w = 14, cut-mixmo-cutmix, N = 2", (87.11, 0.473, 143.28)),
        ("MixMo Section 6.9: cut-mixmo, ResNet-18-7", (78.55, 0.846)),
        ("MixMo Fig. 9: cut-mixmo, M = 3", (79.5,)),
        ("MixViT Table 2b: cait_xxs24, mixvit-encoding", (86.7,)),
        ("MixViT Table 3: cait_m24, mixvit-embedding", (83.5,)),
        ("MixViT Table 4: MixViT, no MSDA, no BA", (79.0,)),
        ("MixViT Table 6: MIMO", (77.1,)),
        ("MixViT Table 7: mixvit-embedding, all-tokens", (81.5,)),
        ("MixViT Table 8: mixvit-embedding, 300 epochs*", (83.4, 12)),
        ("MixViT Table 9: tiny-imagenet: CaiT-XXS-24", (64.4, 9)),
    ],
)
def test_figures_are_those_of_the_papers(rows, figures):
    (row,) = published_rows(rows)
    assert tuple(value for _, value, *_ in row.figures) == figures


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        (
            "mixvit-convit",
            {
                "backbone": "convit_mixvit",
                "backbone.patch_size": 4,
                "augmentation": "crop_flip_autoaugment",
                "augmentation.random_erasing": 0.25,
                "pixel_mixing": "cutmix_and_mixup",
                "loss.label_smoothing": 0.1,
                "pairs.repetitions": 3,
                "learning_rate": 1e-3,
                "epochs": 150,
            },
        ),
        (
            "mixvit-tiny-imagenet",
            {
                "method.source_attribution": "encoding",
                "backbone.patch_size": 8,
                "optimizer.weight_decay": 0.1,
                "backbone.stochastic_depth_rate": 0.1,
            },
        ),
        (
            "tiny-imagenet-cait-xs24-single",
            {"optimizer.weight_decay": 0.05, "backbone.stochastic_depth_rate": 0.05},
        ),
        (
            "mixvit-imagenet",
            {"epochs": 100, "schedule.decay_epochs": (75, 90), "data.image_size": 224},
        ),
        (
            "cifar100-convit-mixvit-embedding-weak",
            {"pixel_mixing": "none", "pairs.repetitions": 1, "batch_size": 128},
        ),
        (
            "cifar100-convit-cut-mixmo-only-parallel",
            {
                "method.r": 1.0,
                "mixing.always_binary": True,
                "method.inference": "parallel",
            },
        ),
        (
            "cut-mixmo",
            {
                "backbone.widening": 10,
                "backbone.depth": 28,
                "augmentation": "crop_flip",
                "backbone.l2": 3e-4,
                "learning_rate": 0.0125,
                "method.r": 3.0,
                "mixing.probability": 0.5,
            },
        ),
        (
            "cut-mixmo-tiny-imagenet",
            {"backbone.widening": 3, "backbone.l2": 5e-5, "learning_rate": 0.05},
        ),
        ("cut-mixmo-imagenet", {"learning_rate": 0.8, "backbone.l2": 1e-4}),
        (
            "cifar100-wrn28-10-cut-mixmo-1-encoder-by-ratio-b2",
            {"method.num_stems": 1, "pairs.input_order": "by_ratio"},
        ),
        ("cifar100-wrn28-10-cut-mixmo-cutmix-b4-n3", {"num_members": 3}),
        ("cifar100-wrn28-10-vanilla-augmix-n2", {"augmentation": "augmix"}),
    ],
)
def test_recipes_say_what_the_papers_say(name, fields):
    made = recipe(name)
    options = {
        **{name: default for name, (_, default) in settings_of(made).items()},
        **flat(made),
        **{part: getattr(made, part).name for part in NAMES},
        "learning_rate": made.learning_rate,
    }
    for field, value in fields.items():
        is_float = isinstance(value, float)
        expected = pytest.approx(value) if is_float else value
        assert options[field] == expected, field


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "mixvit-convit",
            {0.1: 1e-3 * 0.1 / 15, 15: 1e-3, 124.9: 1e-3, 125: 1e-4, 140: 1e-5},
        ),
        (
            "cifar100-convit-mixvit-embedding-300-epochs",
            {30: 2.5e-4, 249.9: 2.5e-4, 250: 2.5e-5, 280: 2.5e-6},
        ),
        ("imagenet1k-cait-s24-single", {99.9: 1e-3, 100: 1e-4, 120: 1e-5}),
        (
            "wrn28-10",
            {0.5: 0.025, 1: 0.05, 99.9: 0.05, 100: 5e-3, 200: 5e-4, 225: 5e-5},
        ),
        ("cut-mixmo", {1: 0.0125, 100: 1.25e-3, 299: 1.25e-5}),
        ("cut-mixmo-tiny-imagenet", {599.9: 0.05, 600: 5e-3, 900: 5e-4}),
        ("cut-mixmo-imagenet", {5: 0.8, 49.9: 0.8, 50: 0.08, 100: 8e-3, 133: 8e-4}),
    ],
)
@pytest.mark.parametrize("scale", [1.0, 0.1])
def test_rates_at_named_epochs_are_those_of_the_papers(name, expected, scale):
    made = recipe(name).scaled(scale)
    steps = 1000
    schedule = schedule_for(made, steps)
    assert type(schedule) is WarmupStepDecay
    # Fewer epochs are not always a whole number of them.
    real = made.total_epochs / made.epochs
    for epoch, rate in expected.items():
        # The first step learns at the rate of its end.
        step = round(epoch * steps * real)
        step -= 1 if epoch < made.schedule.warmup(made.epochs) else 0
        assert float(schedule(step)) == pytest.approx(rate, rel=1e-4), epoch


def test_the_step_before_a_fall_has_the_rate_of_before():
    made = recipe("mixvit-convit")
    # Steps of an epoch on CIFAR: 50,000 images, 43 different ones in a batch.
    steps = 50_000 // 43
    schedule = schedule_for(made, steps)
    rates = [float(schedule(125 * steps + i)) for i in (-1, 0)]
    assert rates == pytest.approx([1e-3, 1e-4], rel=1e-5)


def test_contradictions_are_told_in_notes():
    for name, text in (
        ("mixvit-imagenet", "the drops are exchanged"),
        ("mixvit-convit", "129"),
        ("cut-mixmo-tiny-imagenet", "coupled"),
        ("cut-mixmo-imagenet", "guess"),
        ("cifar100-convit-mixvit-embedding-300-epochs", "Appendix E"),
    ):
        assert text in recipe(name).note


def test_named_backbones_and_augmentations_are_used_as_they_are():
    for made in recipes("*-mixvit-*"):
        assert made.backbone.name in NAMED
        assert set(made.backbone.options) <= {"patch_size", "stochastic_depth_rate"}


def test_the_command_s_own_recipe_is_the_default():
    expected = Recipe(name="digits-mixvit")
    assert recipe("digits") == expected
    assert inspect.signature(recipes).parameters["filter"].default is None


def test_filters_are_parts_patterns_or_functions():
    ensembles = recipes(lambda made: made.num_members > 1)
    assert {made.name for made in recipes("*-n?")} == {made.name for made in ensembles}
    assert recipes("digits-mixvit") == [recipe("digits-mixvit")]
    assert all(row.table == "Table 6" for row in published_rows("MixMo Table 6"))


def test_every_recipe_survives_json():
    for made in recipes():
        assert Recipe.from_dict(json.loads(json.dumps(made.to_dict()))) == made


def test_short_names_are_names_of_recipes():
    for short, name in recipe_aliases().items():
        assert recipe(short) is recipe(name)
        assert short not in {made.name for made in recipes()}


def test_unknown_names_are_refused_with_the_nearest():
    text = r"`name` must be a known name\. Nearest: 'mixvit-convit'"
    with pytest.raises(ValueError, match=text):
        recipe("mixvit-convti")
