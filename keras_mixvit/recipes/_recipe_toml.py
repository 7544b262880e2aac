"""Recipes as TOML, as far as no constructor has to be known."""

import re
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from keras_mixvit._checks import require_path

NUMBERS = re.compile(r"\[\n([\d\s.,e+-]+)\]")


def to_toml(values: dict[str, Any]) -> str:
    """What `Recipe.to_dict` gives, as TOML.

    Args:
        values: Dict of the fields of a recipe.
    """
    plain = {
        field: {key: _plain(each) for key, each in value.items()}
        if isinstance(value, dict)
        else _plain(value)
        for field, value in values.items()
    }
    # Lists hold numbers, which stand better in one line.
    return NUMBERS.sub(_in_one_line, tomli_w.dumps(plain))


def _in_one_line(found: re.Match) -> str:
    return f"[{', '.join(found[1].split()).replace(',,', ',').rstrip(',')}]"


def _plain(value):
    """What TOML can hold; it has no None."""
    if isinstance(value, tuple):
        return list(value)
    return "none" if value is None else value


def from_toml(path: str) -> dict[str, Any]:
    """What `Recipe.from_dict` takes, of a TOML file.

    Args:
        path: Path of the file.

    Returns:
        Dict, with the name of the file where it has no `name`.

    Raises:
        ValueError: If the file cannot be read, or is no TOML.
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
    return {"name": file.stem, **values}
