"""Recipes as TOML, without their constructors."""

import re
import tomllib
from pathlib import Path
from typing import Any

import tomli_w

from keras_mixvit._checks import require_path

NUMBERS = re.compile(r"\[\n([\d\s.,e+-]+)\]")


def to_toml(values: dict[str, Any]) -> str:
    """The result of `Recipe.to_dict` as TOML.

    Args:
        values: Dict of the fields of a recipe.
    """
    plain = {
        field: {key: _plain(each) for key, each in value.items()}
        if isinstance(value, dict)
        else _plain(value)
        for field, value in values.items()
    }
    # Lists hold numbers, which are easier to read in one line.
    return NUMBERS.sub(_in_one_line, tomli_w.dumps(plain))


def _in_one_line(found: re.Match) -> str:
    return f"[{', '.join(found[1].split()).replace(',,', ',').rstrip(',')}]"


def _plain(value):
    """A value for TOML, which has no None."""
    if isinstance(value, tuple):
        return list(value)
    return "none" if value is None else value


def from_toml(path: str) -> dict[str, Any]:
    """The dict for `Recipe.from_dict` from a TOML file.

    Args:
        path: Path of the file.

    Returns:
        Dict. Without a `name`, it has the name of the file.

    Raises:
        ValueError: If the file cannot be read, or is not TOML.
    """
    require_path("path", path)
    file = Path(path)
    try:
        content = file.read_bytes()
    except (OSError, ValueError) as error:
        raise ValueError(
            f"`path` must be a readable file. Received: path={str(path)!r} "
            f"({type(error).__name__})"
        ) from error
    try:
        # Editors may write a byte order mark at the start.
        values = tomllib.loads(content.decode("utf-8-sig"))
    # Integers may have too many digits, and lists may be nested too deeply.
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"`path` must be a TOML file ({error}). Received: path={str(path)!r}"
        ) from error
    return {"name": file.stem, **values}
