"""The files in `papers/`: recipes, and one row for each published figure.

`templates.toml` holds what the trainings of a paper have in common, `recipes.csv`
one training a row, `notes.toml` what had to be chosen for it, and `mixvit.csv` and
`mixmo.csv` one row of the papers' tables a row, with the name of its recipe.
"""

import csv
import functools
import tomllib
from collections.abc import Iterator
from importlib import resources

from keras_mixvit.recipes._published import Published
from keras_mixvit.recipes._recipe import Recipe

PAPERS = {"MixViT": "mixvit.csv", "MixMo": "mixmo.csv"}


@functools.cache
def paper_recipes() -> dict[str, Recipe]:
    """Every named recipe, by its name."""
    templates = {
        name: Recipe(**values)
        for name, values in tomllib.loads(_text("templates.toml")).items()
    }
    notes = tomllib.loads(_text("notes.toml"))
    found = {}
    for row in _rows("recipes.csv"):
        name = row["recipe"]
        changed = templates[row["template"]].with_settings(row["settings"].split())
        note = " ".join(notes[key] for key in row["notes"].split())
        found[name] = changed.replace(name=name, note=note)
    return found


@functools.cache
def paper_rows() -> tuple[Published, ...]:
    """Every row of the papers' tables; those of a recipe, then quoted ones."""
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


def _figure(text: str) -> tuple:
    """A metric, its value, and its deviation if there is one."""
    metric, _, values = text.partition("=")
    return (metric, *(_number(value) for value in values.split("±")))


def _number(text):
    return float(text) if "." in text else int(text)


def _rows(file: str) -> Iterator[dict[str, str]]:
    return csv.DictReader(_text(file).splitlines())


def _text(file: str) -> str:
    return (resources.files(__package__) / "papers" / file).read_text("utf-8")
