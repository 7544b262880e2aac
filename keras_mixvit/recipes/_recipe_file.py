"""Reads and writes recipes as TOML files."""

from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_toml import from_toml, to_toml


def recipe_text(recipe: Recipe) -> str:
    """A recipe as TOML text, with the fields that differ from the defaults.

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
    """Reads a recipe from a TOML file.

    The file has the fields of `Recipe` that differ from the defaults. A table such as
    `[backbone]` has the options of a part, and its `name`. `"none"` means `None`.

    Args:
        path: Path of the file.

    Returns:
        A `Recipe`. Without a `name`, it has the name of the file.

    Raises:
        ValueError: If the file cannot be read, is not TOML, or is not a recipe.

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
