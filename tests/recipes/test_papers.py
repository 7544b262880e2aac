"""Stored recipes, which are listed and printed without what they build."""

import pytest

from keras_mixvit.recipes import Recipe, recipe, recipe_text, recipes
from keras_mixvit.recipes._fields import FIELDS
from keras_mixvit.recipes._papers import _changed, stored_recipes
from keras_mixvit.recipes._recipe_toml import to_toml

STORED = stored_recipes()


@pytest.mark.parametrize("name", STORED)
def test_a_stored_recipe_is_the_dict_and_the_text_of_the_recipe_it_makes(name):
    """So no option stands at its default, and each has the type of the option."""
    made = Recipe.from_dict(STORED[name])
    assert STORED[name] == made.to_dict()
    # The text tells the order, and 1 from 1.0.
    assert to_toml(STORED[name]) == recipe_text(made)
    assert repr(STORED[name]) == repr(made.to_dict())
    assert recipe(name) == made


def test_all_stored_recipes_are_the_named_ones():
    assert [made.name for made in recipes()] == list(STORED)
    assert len(STORED) == 261


def test_fields_are_those_of_the_class_in_its_order():
    # `Recipe()` has every field; the annotations have the order.
    assert list(FIELDS) == list(Recipe.__annotations__)
    assert set(FIELDS) == set(vars(Recipe()))


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ([], {"backbone": {"name": "cait"}, "epochs": 3, "data": {"falls": (1, 2)}}),
        (["data="], {"backbone": {"name": "cait"}, "epochs": 3}),
        # A part without options is no part.
        (["data.falls="], {"backbone": {"name": "cait"}, "epochs": 3}),
        (
            ["backbone=123", "backbone.l2=1e-4", "epochs=5", "data.falls=none"],
            {
                "backbone": {"name": "123", "l2": 1e-4},
                "epochs": 5,
                "data": {"falls": None},
            },
        ),
        (
            ["mixing.alpha=2.0", "data="],
            {"backbone": {"name": "cait"}, "epochs": 3, "mixing": {"alpha": 2.0}},
        ),
    ],
)
def test_settings_of_a_row_change_its_template(settings, expected):
    template = {"backbone": "cait", "epochs": 3, "data": {"falls": [1, 2]}}
    assert _changed(template, settings) == expected
    assert template == {"backbone": "cait", "epochs": 3, "data": {"falls": [1, 2]}}


def test_an_option_that_is_not_there_cannot_be_taken_out():
    with pytest.raises(KeyError):
        _changed({"data": {"name": "digits"}}, ["data.share="])
