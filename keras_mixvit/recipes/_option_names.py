"""Errors that use the names of a recipe's options."""

import contextlib
import re
from collections.abc import Iterable, Iterator, Mapping

# The options of `data`, by their names in `load`.
OF_DATA = {
    "name": "data.name",
    "image_size": "data.image_size",
    "val_share": "data.val_share",
}


@contextlib.contextmanager
def named_as(names: Mapping[str, str]) -> Iterator[None]:
    """Makes errors name the options of a recipe, not the arguments of constructors.

    Args:
        names: Dict from the names of arguments to those of options.

    Raises:
        ValueError: With the text of the error within the context, names replaced.
    """
    try:
        yield
    except ValueError as error:
        text = renamed(str(error), names)
        if text == str(error):
            raise
        raise ValueError(text) from error


def of_part(part: str, arguments: Iterable[str]) -> dict[str, str]:
    """The options of a part, by the names of their arguments.

    Args:
        part: String, the part of a recipe.
        arguments: Names of the arguments that are options of the part.
    """
    return {name: f"{part}.{name}" for name in arguments}


def renamed(text: str, names: Mapping[str, str]) -> str:
    """The text of an error with replaced names.

    Args:
        text: String, such as "`alpha` must be positive. Received: alpha=0".
        names: Dict from names in the text to new names.
    """
    if not names:
        return text
    either = "|".join(map(re.escape, names))
    requirement, sign, received = text.partition("Received: ")
    requirement = re.sub(f"`({either})`", lambda m: f"`{names[m[1]]}`", requirement)
    received = re.sub(rf"(?<![\w.])({either})=", lambda m: f"{names[m[1]]}=", received)
    return f"{requirement}{sign}{received}"
