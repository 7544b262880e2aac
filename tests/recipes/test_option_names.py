"""Errors name the options that the user wrote."""

import pytest

from keras_mixvit.recipes import Recipe, chosen_recipe, dataset_for, model_for
from keras_mixvit.recipes._option_names import named_as, of_part, renamed
from tests.recipes.small import IMAGES

SMALL = {"width": 16, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1}


def small(**fields):
    backbone = {**SMALL, **fields.pop("backbone", {})}
    return Recipe(**{"backbone": backbone, "batch_size": 8, "epochs": 1, **fields})


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"mixing": {"alpha": 0.0}},
            r"`mixing\.alpha` must be a positive finite number\. Received: "
            r"mixing\.alpha=0\.0",
        ),
        (
            {"method": "linear_mixmo", "mixing": {"alpha": -1.0}},
            r"`mixing\.alpha` must be .* Received: mixing\.alpha=-1\.0",
        ),
        (
            {"method": "cut_mixmo", "mixing": {"probability": 2.0}},
            r"`mixing\.probability` must be .* Received: mixing\.probability=2\.0",
        ),
        (
            {"method": "cut_mixmo", "mixing": {"masks": "squares"}},
            r"`mixing\.masks` must be one of .* Received: mixing\.masks='squares'",
        ),
        (
            {"method": {"name": "manifold_mixup", "num_layers": 2}}
            | {"mixing": {"alpha": 0.0}},
            r"`mixing\.alpha` must be .* Received: mixing\.alpha=0\.0",
        ),
        (
            {"method": {"name": "manifold_mixup", "num_layers": 9}},
            r"`method\.num_layers` must not exceed .* Received: method\.num_layers=9, ",
        ),
        (
            {"method": {"name": "mixvit", "num_subnetworks": 1}},
            r"`method\.num_subnetworks` must be .* Received: method\.num_subnetworks=1",
        ),
        (
            {"backbone": {"num_heads": 3}},
            r"`backbone\.num_heads` must divide the width\. Received: "
            r"backbone\.num_heads=3, backbone\.width=16",
        ),
        (
            {"backbone": {"patch_size": 3}},
            r"`backbone\.patch_size` must divide the image size\. Received: "
            r"backbone\.patch_size=3, image_size=\(",
        ),
        (
            {"pairs": {"input_repetition": 2.0}},
            r"`pairs\.input_repetition` must .* Received: pairs\.input_repetition=2\.0",
        ),
    ],
)
def test_what_is_built_is_refused_by_the_names_of_options(fields, text):
    made = small(**fields)
    with pytest.raises(ValueError, match=text):
        dataset_for(made, model_for(made, IMAGES), IMAGES)


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"pixel_mixing": {"name": "cutmix", "probability": 2.0}},
            r"`pixel_mixing\.probability` must .*pixel_mixing\.probability=2\.0",
        ),
        (
            {"augmentation": {"name": "crop_flip", "crop_padding": 0}},
            r"`augmentation\.crop_padding` must be .*augmentation\.crop_padding=0",
        ),
        (
            {"data": {"val_share": 2.0}},
            r"`data\.val_share` must be in \(0, 1\)\. Received: data\.val_share=2\.0",
        ),
    ],
)
def test_a_recipe_is_refused_by_the_names_of_its_options(fields, text):
    with pytest.raises(ValueError, match=text):
        Recipe(**fields)


def test_images_of_a_command_are_its_own():
    text = r"`data` must be one of .* Received: data='missing\.npz'"
    with pytest.raises(ValueError, match=text):
        chosen_recipe(data="missing.npz")


def test_only_whole_names_are_replaced():
    names = of_part("mixing", ("alpha", "masks"))
    text = "`alpha` must fit `mixup_alpha`, alpha. Received: alpha=1, mixup_alpha=2"
    assert renamed(text, names) == (
        "`mixing.alpha` must fit `mixup_alpha`, alpha. Received: mixing.alpha=1, "
        "mixup_alpha=2"
    )
    assert renamed("`alpha` must be.", {}) == "`alpha` must be."


def test_an_error_without_these_names_stays_what_it_is():
    class Own(ValueError):
        pass

    error = Own("`other` must be. Received: other=1")
    with pytest.raises(Own) as found, named_as({"alpha": "mixing.alpha"}):
        raise error
    assert found.value is error
