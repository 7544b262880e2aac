"""Checks the values of options against a signature, and reads them from text."""

import functools
import inspect
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, Literal

from keras_mixvit._checks import is_integer, require, require_known

# Larger integers do not fit into arrays or files.
LARGEST = 2**63 - 1
TRUTH = {"true": True, "yes": True, "false": False, "no": False}
WORDS = {
    str: "a string",
    int: "an integer",
    float: "a number",
    bool: "true or false",
    tuple: "numbers",
    types.NoneType: "none",
}


class Text(str):
    """A value that a user typed; the option decides its type."""


@functools.cache
def parameters(constructor: Callable) -> dict[str, tuple[Any, Any]]:
    """The arguments of a constructor by name: annotation and default.

    Args:
        constructor: A class or a function. A missing annotation is the type of the
            default.
    """
    function = constructor.__init__ if inspect.isclass(constructor) else constructor
    hints = typing.get_type_hints(function)
    return {
        name: (hints.get(name, _type_of(parameter.default)), parameter.default)
        for name, parameter in inspect.signature(constructor).parameters.items()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }


def _type_of(default):
    """The type of a parameter without an annotation: that of its default."""
    if isinstance(default, (bool, str)):
        return type(default)
    if isinstance(default, (int, float)):
        return float
    # Without an annotation in Keras's optimizers, None means no number.
    return int | float | None


@functools.cache
def kinds(hint) -> tuple:
    """The types and `Literal`s of an annotation."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        return tuple(kind for part in typing.get_args(hint) for kind in kinds(part))
    if typing.get_origin(hint) is Literal:
        return (hint,)
    return (typing.get_origin(hint) or hint,)


def in_words(hint, default) -> str:
    """The values that an annotation accepts, in words."""
    found = [WORDS[kind] for kind in kinds(hint) if kind in WORDS]
    for kind in kinds(hint):
        if typing.get_origin(kind) is Literal:
            choices = ", ".join(repr(choice) for choice in typing.get_args(kind))
            found.append(f"one of {choices}")
    if default is None and "none" not in found:
        found.append("none")
    return " or ".join(found) or "a number, a string, true, false or none"


def accepts(value, hint, default) -> bool:
    """Whether an annotation accepts a value; an integer is a float, too."""
    found = kinds(hint)
    if value is None and default is None:
        return True
    for kind in found:
        if typing.get_origin(kind) is Literal:
            if isinstance(value, str) and value in typing.get_args(kind):
                return True
        elif kind is Any or not isinstance(kind, type):
            return True
    if value is None or isinstance(value, (bool, str)):
        return type(value) in found
    if isinstance(value, tuple):
        return tuple in found and all(
            isinstance(part, (int, float)) and not isinstance(part, bool)
            for part in value
        )
    if is_integer(value):
        return int in found or float in found
    return isinstance(value, float) and float in found


def checked(
    part: str,
    given: Mapping[str, Any],
    known: Mapping[str, tuple[Any, Any]],
    defaults: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The checked options of a constructor, without those at their defaults.

    Args:
        part: String, the part of the recipe, for errors, or `""`.
        given: Dict of the options.
        known: Dict that `parameters` returned, with the options that may be set.
        defaults: Dict of a recipe's own defaults, or `None`. Defaults to `None`.

    Raises:
        ValueError: If an option is unknown or of a wrong type.
    """
    names, found = {name: dotted(part, name) for name in known}, {}
    for name, value in given.items():
        if name not in names:
            require_known("setting", dotted(part, name), sorted(names.values()))
        hint, default = known[name]
        default = (defaults or {}).get(name, default)
        if isinstance(value, Text):
            meant = parsed(value)
            value = meant if accepts(meant, hint, default) else str(value)
        # A file or a text has no other way to write None.
        if isinstance(value, str) and value == "none" and accepts(None, hint, default):
            value = None
        if isinstance(value, list):
            value = tuple(value)
        require(
            accepts(value, hint, default),
            f"`{names[name]}` must be {in_words(hint, default)}.",
            **{names[name]: value},
        )
        require(
            not isinstance(value, str) or _is_unicode(value),
            f"`{names[name]}` must be text that UTF-8 can encode.",
            **{names[name]: value},
        )
        numbers = value if isinstance(value, tuple) else (value,)
        require(
            not any(is_integer(n) and abs(n) > LARGEST for n in numbers),
            f"`{names[name]}` must be at most 2**63 - 1.",
            **{names[name]: value},
        )
        is_real = float in kinds(hint) and int not in kinds(hint)
        if type(value) is int and (is_real or isinstance(default, float)):
            value = float(value)
        if value != default or type(value) is not type(default):
            found[name] = value
    return found


def _is_unicode(text):
    """Whether UTF-8 can encode a text; names of files may contain other bytes."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def dotted(part: str, name: str) -> str:
    """The full name of an option in a recipe, such as `"backbone.width"`."""
    return f"{part}.{name}" if part else name


def parsed(text: str) -> Any:
    """The value of a text: None, a boolean, numbers, or the text itself."""
    # A plain string, from any subclass of str.
    text = str(text)
    lowered = text.lower()
    if lowered == "none":
        return None
    if lowered in TRUTH:
        return TRUTH[lowered]
    if "," in text or text.startswith(("(", "[")):
        numbers = [_number(part) for part in text.strip("()[] ").split(",") if part]
        return text if None in numbers else tuple(numbers)
    number = _number(text)
    return text if number is None else number


def _number(text):
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return None
