"""Reads and checks the JSON files of a run, which may have been edited."""

import json
from pathlib import Path
from typing import Any

from keras_mixvit._checks import is_integer, require

ROWS = "`rows` of `model`, `parameters`, `accuracy`, `nll` and `seconds`"
# Older runs lack these.
LATER = ("calibrated_nll", "ece")


def read_json(path: Path) -> dict:
    """The dict that a JSON file of a run holds.

    Args:
        path: Path of the file.

    Returns:
        A dict.

    Raises:
        ValueError: If the file is missing or damaged, or does not hold a dict.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(
            f"`run` must be the folder of a run, with an intact {path.name}. "
            f"Received: run={str(path.parent)!r} ({type(error).__name__})"
        ) from error
    require_entry(path, isinstance(found, dict), "a dict", found)
    return found


def read_result(path: Path) -> dict:
    """The content of `result.json`, which describes a finished run.

    Args:
        path: Path of the file.

    Returns:
        A dict with the string `backend` and a list of `rows`, dicts of `model`,
        `parameters`, `accuracy`, `nll` and `seconds`, and since version 0.2
        `calibrated_nll` and `ece`.

    Raises:
        ValueError: If the file is damaged, or an entry is of another kind.
    """
    found = read_json(path)
    backend, rows = found.get("backend"), found.get("rows")
    require_entry(path, isinstance(backend, str), "a string `backend`", backend)
    require_entry(path, _are_rows(rows), ROWS, rows)
    return found


def read_report(path: Path) -> dict:
    """The content of `report.json`, which describes a finished training.

    Args:
        path: Path of the file.

    Returns:
        A dict with `rows` as in `result.json`, the integer `seed`, the number
        `seconds`, and `best`, a dict or `None`.

    Raises:
        ValueError: If the file is damaged, or an entry is of another kind.
    """
    found = read_json(path)
    rows = found.get("rows")
    require_entry(path, _are_rows(rows), ROWS, rows)
    seconds, seed = found.get("seconds"), found.get("seed")
    best = found.get("best")
    require_entry(
        path,
        is_number(seconds)
        and is_integer(seed)
        and (best is None or isinstance(best, dict)),
        "the number `seconds`, the integer `seed`, and the dict `best`, if any",
        {"seconds": seconds, "seed": seed, "best": best},
    )
    return found


def judged_images(path: Path) -> int:
    """The number of images that evaluated the networks of a finished run.

    Args:
        path: Path of its `result.json`.

    Raises:
        ValueError: If the file is damaged.
    """
    found = read_json(path)
    data, split = found.get("data"), found.get("judged_on")
    shapes = data.get("shapes") if isinstance(data, dict) else None
    shape = shapes.get(split) if isinstance(shapes, dict) else None
    count: Any = shape[0] if isinstance(shape, list) and shape else None
    require_entry(
        path,
        is_integer(count) and count > 0,
        "the shape of the images of `judged_on` in `data`",
        shape,
    )
    return count


def require_entry(path: Path, condition: bool, wanted: str, found) -> None:
    """Requires the right kind of entry in a file of a run.

    Args:
        path: Path of the file.
        condition: Whether the entry is right.
        wanted: String, a description of the right kind.
        found: The entry.
    """
    require(
        condition,
        f"`run` must be the folder of a run, whose {path.name} holds {wanted}.",
        run=str(path.parent),
        found=found,
    )


def is_number(value) -> bool:
    """Whether a value of a JSON file is a number that fits into a float."""
    return isinstance(value, float) or (is_integer(value) and abs(value) < 2**63)


def _are_rows(rows):
    return isinstance(rows, list) and all(map(_is_row, rows))


def _is_row(row):
    if not isinstance(row, dict):
        return False
    parameters, seconds = row.get("parameters"), row.get("seconds")
    return (
        isinstance(row.get("model"), str)
        and is_number(row.get("accuracy"))
        and is_number(row.get("nll"))
        and all(row.get(name) is None or is_number(row[name]) for name in LATER)
        and (parameters is None or (is_integer(parameters) and is_number(parameters)))
        # Parts of a network have no parameters or seconds of their own.
        and (seconds is None) == (parameters is None)
        and (seconds is None or is_number(seconds))
    )
