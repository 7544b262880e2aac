"""The files in `papers/`: recipes, and one row for each published figure.

`templates.toml` holds the options that the trainings of a paper share, `recipes.csv`
has one row per training, and `notes.toml` explains its choices. `mixvit.csv` and
`mixmo.csv` have one row per row of the papers' tables, with the name of its recipe.

A stored recipe equals the result of `Recipe.to_dict`: options of the right types, and
none at its default. So it can be listed and printed without Keras.
`tests/recipes/test_papers.py` compares all of them with the recipes made of them.
"""

import csv
import dataclasses
import functools
import tomllib
from collections.abc import Iterator
from importlib import resources
from typing import Any

from keras_mixvit.recipes._fields import FIELDS, PARTS
from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._settings import SETTINGS
from keras_mixvit.recipes._values import parsed

PAPERS = {"MixViT": "mixvit.csv", "MixMo": "mixmo.csv"}


@functools.cache
def stored_recipes() -> dict[str, dict[str, Any]]:
    """All named recipes by name, as dicts for `Recipe.from_dict`."""
    templates = tomllib.loads(_text("templates.toml"))
    notes = tomllib.loads(_text("notes.toml"))
    found = {}
    for row in _rows("recipes.csv"):
        values = _changed(templates[row["template"]], row["settings"].split())
        values["name"] = row["recipe"]
        note = " ".join(notes[key] for key in row["notes"].split())
        if note:
            values["note"] = note
        found[row["recipe"]] = _in_order(values)
    return found


@functools.cache
def paper_rows() -> tuple[Published, ...]:
    """All rows of the papers' tables: first those with a recipe, then quoted ones."""
    found = [
        Published(
            paper,
            row["table"],
            row["row"],
            tuple(map(_figure, row["figures"].split())),
            row["recipe"] or None,
            row["note"],
        )
        for paper, file in PAPERS.items()
        for row in _rows(file)
    ]
    return tuple(sorted(found, key=lambda row: row.recipe is None))


def _changed(template: dict[str, Any], settings: list[str]) -> dict[str, Any]:
    """A template with the settings of a row; an empty value removes an option."""
    values: dict[str, Any] = {}
    for field, value in template.items():
        if field not in PARTS:
            values[field] = value
        elif isinstance(value, str):
            values[field] = {"name": value}
        else:
            values[field] = {
                key: tuple(each) if isinstance(each, list) else each
                for key, each in value.items()
            }
    for setting in settings:
        key, _, text = setting.partition("=")
        field, _, option = key.partition(".")
        if field not in PARTS:
            values[field] = parsed(text)
        elif text:
            value = parsed(text) if option else text
            values.setdefault(field, {})[option or "name"] = value
        elif option:
            del values[field][option]
        else:
            del values[field]
    return {field: value for field, value in values.items() if value != {}}


def _in_order(values: dict[str, Any]) -> dict[str, Any]:
    """The fields, also of data, loss and schedule, in the order of their classes."""
    found = {field: values[field] for field in FIELDS if field in values}
    for field, kind in SETTINGS.items():
        if field in found:
            names = (each.name for each in dataclasses.fields(kind))
            found[field] = {n: found[field][n] for n in names if n in found[field]}
    return found


def _figure(text: str) -> tuple:
    """A metric, its value, and its deviation, if any."""
    metric, _, values = text.partition("=")
    return (metric, *(_number(value) for value in values.split("±")))


def _number(text):
    return float(text) if "." in text else int(text)


def _rows(file: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(_text(file).splitlines())


def _text(file: str) -> str:
    return (resources.files(__package__) / "papers" / file).read_text("utf-8")
