"""What the papers report of a recipe, in words."""

import dataclasses

from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._recipe import NEUTRAL, Recipe
from keras_mixvit.recipes._registry import recipes

# What changes nothing but rounding.
NOT_COMPARED = NEUTRAL | {"apply_on", "precision", "recompute"}
UNITS = {"parameters": " M"}


def figures_of(row: Published) -> str:
    """The figures of a row, such as `"accuracy 82.4, parameters 12.6 M"`."""
    told = []
    for metric, value, *deviation in row.figures:
        spread = f" ± {deviation[0]}" if deviation else ""
        told.append(f"{metric} {value}{spread}{UNITS.get(metric, '')}")
    return ", ".join(told) or "a curve without numbers"


def source_of(row: Published) -> str:
    """Where a row stands, such as `"MixViT Table 2c: Source embedding"`."""
    return f"{row.paper} {row.place}: {row.row}"


def telling(rows: tuple[Published, ...]) -> list[str]:
    """Rows in words, those with figures, each figure once.

    Args:
        rows: Tuple of `Published`.
    """
    by_figures = {}
    for row in rows:
        if row.figures:
            by_figures.setdefault(row.figures[0], row)
    return [f"{source_of(row)}: {figures_of(row)}" for row in by_figures.values()]


def published_of(recipe: Recipe) -> tuple[tuple[Published, ...], list[str]]:
    """The rows of the recipe of this name, and how this one differs from it.

    Args:
        recipe: `Recipe`, which may be changed.

    Returns:
        Tuple of `Published`, and list of strings `"key=value"`.
    """
    for known in recipes():
        if known.name == recipe.name:
            return known.published, differences(known, recipe)
    return (), []


def differences(known: Recipe, recipe: Recipe) -> list[str]:
    """The fields in which a recipe differs, but for those that only draw anew.

    Args:
        known: `Recipe`.
        recipe: `Recipe`.
    """
    return [
        f"{field.name}={getattr(recipe, field.name)}"
        for field in dataclasses.fields(recipe)
        if field.name not in NOT_COMPARED
        and getattr(recipe, field.name) != getattr(known, field.name)
    ]


def scale_of(recipe: Recipe) -> str:
    """What is scaled in a recipe, or nothing."""
    names = {"epoch_scale": "epochs", "width_scale": "width", "data_share": "data"}
    scaled = [
        f"{word} x {getattr(recipe, name):.3g}"
        for name, word in names.items()
        if getattr(recipe, name) != 1
    ]
    return f"scaled: {', '.join(scaled)}" if scaled else ""
