"""Recipes as TOML files, which a person can read and write."""

from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_toml import from_toml, to_toml


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML: what differs from the defaults.

    Args:
        recipe: `Recipe`.

    Returns:
        String, which `read_recipe` takes from a file.

    Example:

    ```python
    text = recipe_text(Recipe(backbone={"name": "convit", "width": 96}))
    assert "width = 96" in text.splitlines()
    ```
    """
    return to_toml(recipe.to_dict())


def read_recipe(path: str) -> Recipe:
    """The recipe that a TOML file describes.

    The file names the fields of `Recipe` that differ from the defaults. A table
    such as `[backbone]` holds the options of a part, and its `name`. `"none"`
    stands for `None`.

    Args:
        path: Path of the file.

    Returns:
        A `Recipe`, with the name of the file where it has no `name`.

    Raises:
        ValueError: If the file cannot be read, is no TOML, or not a recipe.

    Example:

    ```python
    with open("mine.toml", "w") as file:
        file.write('epochs = 10\\n[backbone]\\nname = "convit"\\nwidth = 96\\n')
    assert read_recipe("mine.toml").backbone.options == {"width": 96}
    ```
    """
    values = from_toml(path)
    try:
        return Recipe.from_dict(values)
    except ValueError as error:
        raise ValueError(f"{error} (in {path})") from error
