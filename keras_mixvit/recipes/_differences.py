"""The differences between a recipe and that of a paper."""

from keras_mixvit.recipes._flat import flat
from keras_mixvit.recipes._papers import stored_recipes
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._published_rows import published_rows
from keras_mixvit.recipes._recipe import NEUTRAL, Recipe
from keras_mixvit.recipes._recipe_parts import settings_of
from keras_mixvit.recipes._registry import recipe as named_recipe

# Options that change only rounding.
NOT_COMPARED = NEUTRAL | {
    "pairs.apply_on",
    "pairs.keep_on_device",
    "precision",
    "backbone.recompute",
}


def published_of(recipe: Recipe) -> tuple[list[Published], list[str]]:
    """The published rows of the recipe with this name, and how this recipe differs.

    Args:
        recipe: `Recipe`, which may be changed.

    Returns:
        List of `Published`, and list of strings `"key=value"`.
    """
    if recipe.name not in stored_recipes():
        return [], []
    known = named_recipe(recipe.name)
    return published_rows(recipe=recipe.name), differences(known, recipe)


def differences(known: Recipe, recipe: Recipe) -> list[str]:
    """The options in which two recipes differ, except those in `NOT_COMPARED`.

    Args:
        known: `Recipe`.
        recipe: `Recipe`.
    """
    old, new = flat(known), flat(recipe)
    defaults = {name: default for name, (_, default) in settings_of(recipe).items()}
    return [
        f"{name.removesuffix('.name')}={new.get(name, defaults.get(name, 'none'))}"
        for name in dict.fromkeys((*old, *new))
        if name not in NOT_COMPARED and old.get(name, old) != new.get(name, old)
    ]


def scale_of(recipe: Recipe) -> str:
    """The scaled quantities of a recipe in words, or an empty string.

    A share of the data that the recipe of this name has, too, is not scaled.
    """
    stored = recipe.name in stored_recipes()
    is_own = stored and named_recipe(recipe.name).data.share == recipe.data.share
    scales = {
        "epochs": recipe.epoch_scale,
        "width": recipe.width_scale,
        "data": 1 if is_own else recipe.data.share,
    }
    scaled = [f"{word} x {value:.3g}" for word, value in scales.items() if value != 1]
    return f"scaled: {', '.join(scaled)}" if scaled else ""
