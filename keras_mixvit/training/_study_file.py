"""Reads the file of a study: its seeds, its rows, and their shared fields."""

import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keras_mixvit._checks import require, require_known, require_positive_integer
from keras_mixvit.recipes._fields import FIELDS
from keras_mixvit.recipes._names import is_recipe_file, whole_name
from keras_mixvit.recipes._papers import stored_recipes
from keras_mixvit.recipes._recipe_toml import from_toml
from keras_mixvit.recipes._setting_words import setting_words

KEYS = (
    *("name", "note", "seeds", "baseline", "corruptions", "equal_steps"),
    *("recipe", "rows"),
)
# The study sets the seeds and the names of the recipes.
OF_STUDIES = ("seed", "name")
OF_ROWS = ("base", "set", *(field for field in FIELDS if field not in OF_STUDIES))
SAFE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class StudyFile:
    """The content of the file of a study.

    Args:
        path: String, the path of the file.
        name: String, the name of the study, of its folder and of its results.
        seeds: Tuple of integers.
        baseline: String, the row to which every other row is compared.
        recipe: Dict of the fields that all rows share.
        rows: Dict from the names of rows to dicts of their own fields.
        note: String, for the page of the results. Defaults to `""`.
        corruptions: Boolean, whether to evaluate on corrupted images, too. Defaults to
            `True`.
        equal_steps: Boolean, whether all rows must take the same number of steps.
            Defaults to `True`.
    """

    path: str
    name: str
    seeds: tuple[int, ...]
    baseline: str
    recipe: dict[str, Any]
    rows: dict[str, dict[str, Any]]
    note: str = ""
    corruptions: bool = True
    equal_steps: bool = True

    def values(self, row: str) -> dict[str, Any]:
        """The fields of the recipe of a row, for `Recipe.from_dict`.

        Args:
            row: String, the name of the row.
        """
        given = {**self.recipe, **self.rows[row]}
        base = given.pop("base", None)
        given.pop("set", None)
        return {**based_on(self.path, base), **given, "name": self.name_of(row)}

    def settings(self, row: str) -> list[str]:
        """The settings of a row, for `Recipe.with_settings`.

        Args:
            row: String, the name of the row.
        """
        return [*self.recipe.get("set", ()), *self.rows[row].get("set", ())]

    def name_of(self, row: str) -> str:
        """The name of the recipe of a row."""
        return f"{self.name}-{slug(row)}"


def slug(row: str) -> str:
    """The name of the folder of a row: its letters and digits.

    Args:
        row: String, the name of the row.
    """
    return re.sub(r"[^a-z0-9]+", "-", row.lower()).strip("-")


def based_on(path: str, base: str | None) -> dict[str, Any]:
    """The fields of the recipe that others are based on.

    Args:
        path: String, the path of the file of the study.
        base: String, the name of a recipe, or a file beside that of the study;
            `None` for the defaults.
    """
    if base is None:
        return {}
    if is_recipe_file(base):
        return from_toml(str(Path(path).parent / base))
    return dict(stored_recipes()[whole_name(base, "base")])


def read_study(path: str) -> StudyFile:
    """Reads and checks the file of a study, as far as it can without a backend.

    Args:
        path: Path of the file.

    Raises:
        ValueError: If the file cannot be read, is not TOML, or is not a study.
    """
    found = from_toml(path)
    try:
        return _checked(str(path), found)
    except ValueError as error:
        raise ValueError(f"{error} (in {path})") from error


def _checked(path, found):
    for key in found:
        require_known("key", key, KEYS)
    name, seeds, baseline = found["name"], found.get("seeds"), found.get("baseline")
    require(
        isinstance(name, str) and SAFE.fullmatch(name) is not None,
        "`name` must be the name of a file: letters, digits, '.', '_' and '-'.",
        name=name,
    )
    note = found.get("note", "")
    require(isinstance(note, str), "`note` must be a string.", note=note)
    for key in ("corruptions", "equal_steps"):
        value = found.get(key, True)
        require(
            isinstance(value, bool), f"`{key}` must be true or false.", **{key: value}
        )
    require(
        isinstance(seeds, list) and len(seeds) > 0,
        "`seeds` must be a list of integers.",
        seeds=seeds,
    )
    for seed in seeds:
        require_positive_integer("seeds", seed, minimum=0)
    twice = [seed for seed, count in Counter(seeds).items() if count > 1]
    require(not twice, "`seeds` must not have a seed twice.", seeds=seeds)
    recipe = found.get("recipe", {})
    _require_fields(path, "recipe", recipe)
    rows = _rows(path, found.get("rows"))
    require(
        isinstance(baseline, str) and baseline in rows,
        "`baseline` must be the name of a row.",
        baseline=baseline,
        rows=list(rows),
    )
    return StudyFile(
        path=path,
        name=name,
        seeds=tuple(seeds),
        baseline=baseline,
        recipe=recipe,
        rows=rows,
        note=note,
        corruptions=found.get("corruptions", True),
        equal_steps=found.get("equal_steps", True),
    )


def _rows(path, rows):
    require(
        isinstance(rows, dict) and len(rows) > 0,
        '`rows` must be tables, one for each row, such as [rows."single"].',
        rows=rows,
    )
    slugs: dict[str, str] = {}
    for row, given in rows.items():
        folder = slug(row)
        require(folder, "`rows` must have letters or digits in their names.", row=row)
        require(
            folder not in slugs,
            "`rows` must have names that differ in their letters and digits.",
            rows=[slugs.get(folder), row],
        )
        slugs[folder] = row
        _require_fields(path, f"rows.{row}", given)
        require(
            len(given) > 0,
            "`rows` must not be empty: each row must set at least one field.",
            row=row,
        )
    return rows


def _require_fields(path, table, given):
    require(isinstance(given, dict), f"`{table}` must be a table.", **{table: given})
    for key in OF_STUDIES:
        require(
            key not in given,
            f"`{key}` must not be set in `{table}`: the study sets it, by `seeds` "
            "and the names of rows.",
            **{key: given.get(key)},
        )
    for key in given:
        require_known(f"key of {table}", key, OF_ROWS)
    base = given.get("base")
    if base is not None:
        require(isinstance(base, str), "`base` must be a string.", base=base)
        based_on(path, base)
    settings = given.get("set", [])
    require(
        isinstance(settings, list),
        "`set` must be a list of strings, each of the form key=value.",
        set=settings,
    )
    setting_words(settings)


def chosen_seeds(text: str) -> list[int]:
    """The seeds that a user typed, such as `0,1`.

    Args:
        text: String.

    Raises:
        ValueError: If it is not a list of integers.
    """
    words = [word.strip() for word in text.split(",")]
    require(
        all(word.isascii() and word.isdigit() for word in words),
        "`seeds` must be integers with commas between them.",
        seeds=text,
    )
    return [int(word) for word in words]


def require_chosen(file: StudyFile, seeds, rows) -> None:
    """Refuses seeds and rows that the study does not have.

    Args:
        file: `StudyFile`.
        seeds: Sequence of integers, or `None` for all.
        rows: Sequence of strings, or `None` for all.

    Raises:
        ValueError: If a seed or row is not in the file.
    """
    for name, chosen, known in (
        ("seeds", seeds, file.seeds),
        ("rows", rows, tuple(file.rows)),
    ):
        if chosen is None:
            continue
        is_list = isinstance(chosen, (list, tuple)) and len(chosen) > 0
        require(
            is_list
            and all(type(each) is type(known[0]) and each in known for each in chosen),
            f"`{name}` must be in the file, one or several of {list(known)}.",
            **{name: chosen},
        )
