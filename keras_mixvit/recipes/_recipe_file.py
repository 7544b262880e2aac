"""Recipes as TOML files, which a person can read and write."""

import re
import tomllib
from pathlib import Path

import tomli_w

from keras_mixvit._checks import require, require_path
from keras_mixvit.recipes._recipe import Recipe

NUMBERS = re.compile(r"\[\n([\d\s.,e+-]+)\]")


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
    values = {
        field: {key: _plain(each) for key, each in value.items()}
        if isinstance(value, dict)
        else _plain(value)
        for field, value in recipe.to_dict().items()
    }
    # Lists hold numbers, which stand better in one line.
    return NUMBERS.sub(_in_one_line, tomli_w.dumps(values))


def _in_one_line(found: re.Match) -> str:
    return f"[{', '.join(found[1].split()).replace(',,', ',').rstrip(',')}]"


def _plain(value):
    """What TOML can hold; it has no None."""
    if isinstance(value, tuple):
        return list(value)
    return "none" if value is None else value


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
    require_path("path", path)
    file = Path(path)
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`path` must be a file that can be read. Received: path={str(path)!r} "
            f"({type(error).__name__})"
        ) from error
    try:
        # Editors may write a mark of the byte order in front.
        values = tomllib.loads(content.decode("utf-8-sig"))
    # An integer may have too many digits, and lists may be too deep.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"`path` must be a TOML file ({error}). Received: path={str(path)!r}"
        ) from error
    try:
        return Recipe.from_dict({"name": file.stem, **values})
    except ValueError as error:
        raise ValueError(f"{error} (in {path})") from error


def is_recipe_file(name: str) -> bool:
    """Whether a name is the path of a recipe's file."""
    require(isinstance(name, str), "`name` must be a string.", name=name)
    return name.endswith(".toml")
