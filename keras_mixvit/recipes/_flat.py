"""A recipe as one dict of options, such as `{"backbone.width": 96}`."""

from typing import Any


def flat(recipe) -> dict[str, Any]:
    """The options of a recipe that differ from the defaults.

    Args:
        recipe: `Recipe`.

    Returns:
        Dict from names such as `"backbone.width"` to values.
    """
    found = {}
    for name, value in recipe.to_dict().items():
        if isinstance(value, dict):
            found |= {f"{name}.{key}": each for key, each in value.items()}
        else:
            found[name] = value
    return found
