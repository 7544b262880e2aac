"""Errors of what a recipe builds, with the names of the recipe's options."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping

# What `load` calls the options of `data`.
OF_DATA = {
    "name": "data.name",
    "image_size": "data.image_size",
    "val_share": "data.val_share",
}


@contextlib.contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Lets errors name options of a recipe, not the arguments that they become.

    Args:
        names: Dict from the names of arguments to those of options.

    Raises:
        ValueError: With the text of an error that comes, names replaced.
    """
    try:
        yield
    except ValueError as error:
        text = renamed(str(error), names)
        if text == str(error):
            raise
        raise ValueError(text) from error


def of_part(part: str, arguments: Iterable[str]) -> dict[str, str]:
    """The options of a part, by the names of arguments.

    Args:
        part: String, the part of a recipe.
        arguments: Names of the arguments that are options of it.
    """
    return {name: f"{part}.{name}" for name in arguments}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text of an error with other names.

    Args:
        text: String, such as "`alpha` must be positive. Received: alpha=0".
        names: Dict from names in it to others.
    """
    if not names:
        return text
    either = "|".join(map(re.escape, names))
    requirement, sign, received = text.partition("Received: ")
    requirement = re.sub(f"`({either})`", lambda m: f"`{names[m[1]]}`", requirement)
    received = re.sub(rf"(?<![\w.])({either})=", lambda m: f"{names[m[1]]}=", received)
    return f"{requirement}{sign}{received}"
