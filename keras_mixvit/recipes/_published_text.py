"""What the papers report of a recipe, in words."""

from keras_mixvit.recipes._flat import flat
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._recipe import NEUTRAL, Recipe
from keras_mixvit.recipes._recipe_parts import settings_of
from keras_mixvit.recipes._registry import published_rows, recipes

# What changes nothing but rounding.
NOT_COMPARED = NEUTRAL | {
    "pairs.apply_on",
    "pairs.keep_on_device",
    "precision",
    "backbone.recompute",
}
UNITS = {"parameters": " M"}


def figures_of(row: Published) -> str:
    """The figures of a row, such as `"accuracy 82.4, parameters 12.6 M"`."""
    found = []
    for metric, value, *deviation in row.figures:
        spread = f" ± {deviation[0]}" if deviation else ""
        found.append(f"{metric} {value}{spread}{UNITS.get(metric, '')}")
    return ", ".join(found) or "a curve without numbers"


def source_of(row: Published) -> str:
    """Where a row stands, such as `"MixViT Table 2c: Source embedding"`."""
    return f"{row.paper} {row.table}: {row.row}"


def in_words(rows: list[Published]) -> list[str]:
    """Rows in words, those with figures, each figure once.

    Args:
        rows: List of `Published`.
    """
    by_figures = {}
    for row in rows:
        if row.figures:
            by_figures.setdefault(row.figures[0], row)
    return [f"{source_of(row)}: {figures_of(row)}" for row in by_figures.values()]


def published_of(recipe: Recipe) -> tuple[list[Published], list[str]]:
    """The rows of the recipe of this name, and how this one differs from it.

    Args:
        recipe: `Recipe`, which may be changed.

    Returns:
        List of `Published`, and list of strings `"key=value"`.
    """
    known = {each.name: each for each in recipes()}.get(recipe.name)
    if known is None:
        return [], []
    return published_rows(recipe=recipe.name), differences(known, recipe)


def differences(known: Recipe, recipe: Recipe) -> list[str]:
    """The options in which a recipe differs, but for those that only draw anew.

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
    """What is scaled in a recipe, or nothing."""
    scales = {
        "epochs": recipe.epoch_scale,
        "width": recipe.width_scale,
        "data": recipe.data.share,
    }
    scaled = [f"{word} x {value:.3g}" for word, value in scales.items() if value != 1]
    return f"scaled: {', '.join(scaled)}" if scaled else ""
