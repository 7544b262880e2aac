"""Values of fields, their types, and how to read them from text."""

import dataclasses
import functools
from types import NoneType, UnionType
from typing import get_args, get_origin

from keras_mixvit._checks import is_integer, require, require_known

# Larger integers fit into no array or file.
LARGEST = 2**63 - 1
TRUTH = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@functools.cache
def kinds(declared) -> tuple:
    """The types that a field is declared to take, such as `(int, NoneType)`."""
    is_union = get_origin(declared) is UnionType
    found = get_args(declared) if is_union else (declared,)
    return tuple(get_origin(kind) or kind for kind in found)


def told(found: tuple) -> str:
    """The types in words."""
    words = {
        str: "a string",
        int: "an integer",
        float: "a number",
        bool: "true or false",
        tuple: "numbers",
        NoneType: "none",
    }
    return " or ".join(words[kind] for kind in found)


def is_of(value, found: tuple) -> bool:
    """Whether a value is of one of some types; integers are numbers."""
    if value is None or isinstance(value, (bool, str)):
        return type(value) in found
    if isinstance(value, tuple):
        return tuple in found
    if is_integer(value):
        return int in found or float in found
    return isinstance(value, float) and float in found


def parsed_settings(settings: list[str], kind: type) -> dict:
    """Values by the names of fields, from texts `"key=value"`.

    Args:
        settings: List of strings.
        kind: The dataclass whose fields are meant.

    Returns:
        Dict from names to values.

    Raises:
        ValueError: If a text has no `=`, a key is no field, or a value is not
            of the field's type.
    """
    known = {
        field.name: field
        for field in dataclasses.fields(kind)
        if field.name != "published"
    }
    is_list = isinstance(settings, (list, tuple))
    require(
        is_list and all(isinstance(setting, str) for setting in settings),
        "`settings` must be a list of strings, each of the form key=value.",
        settings=settings,
    )
    found = {}
    for setting in settings:
        key, sign, text = setting.partition("=")
        key, text = key.strip().replace("-", "_"), text.strip()
        require(bool(sign), "`settings` must be of the form key=value.", got=setting)
        require_known("setting", key, known)
        found[key] = _parsed(key, text, kinds(known[key].type))
    return found


def _parsed(key, text, found):
    if NoneType in found and text.lower() == "none":
        return None
    for kind in (bool, int, float, tuple):
        if kind not in found:
            continue
        value = _as(kind, text)
        if value is not None:
            return value
    require(str in found, f"`{key}` must be {told(found)}.", **{key: text})
    return text


def _as(kind, text):
    try:
        if kind is tuple:
            numbers = text.strip("()[] ").split(",")
            return tuple(_number(number) for number in numbers if number.strip())
        return TRUTH[text.lower()] if kind is bool else kind(text)
    except (KeyError, ValueError):
        return None


def _number(text):
    value = float(text)
    return int(value) if value.is_integer() else value
