"""Keeps what was found in shards, so that they are read as a whole only once."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

FORM = 1


def states_of(paths: Sequence[str]) -> np.ndarray:
    """Sizes and times of files, int64 `(S, 2)`, which change with the files."""
    facts = [os.stat(path) for path in paths]
    return np.array([(fact.st_size, fact.st_mtime_ns) for fact in facts], "int64")


def cache_file(paths: Sequence[str], *options: Any) -> Path:
    """Where arrays about some shards are kept.

    Args:
        paths: Paths of the shards.
        *options: What else decides about the arrays.
    """
    facts = (FORM, [os.path.abspath(path) for path in paths], *options)
    name = hashlib.sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / f"{name[:32]}.npz"


def cache_folder() -> Path:
    """The user's folder of caches, or the one of `XDG_CACHE_HOME`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "keras_mixvit", "shards")


def read_kept(place: Path, states: np.ndarray) -> dict[str, np.ndarray] | None:
    """The arrays that are kept, or `None` if they are damaged or of other files.

    Args:
        place: Path that `cache_file` returned.
        states: Array that `states_of` returned.
    """
    try:
        with place.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            kept = {name: file[name] for name in file}
    # A cache is no place for errors: the shards are read again.
    except Exception:
        return None
    return kept if np.array_equal(kept.pop("states", None), states) else None


def write_kept(place: Path, states: np.ndarray, arrays: Mapping[str, Any]) -> None:
    """Keeps arrays, if the folder can be written.

    Args:
        place: Path that `cache_file` returned.
        states: Array that `states_of` returned.
        arrays: Mapping from names to arrays.
    """
    # A folder that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            try:
                np.savez(file, states=states, **arrays)
            except OSError:
                os.unlink(file.name)
                raise
        # Other processes see all of it or nothing.
        os.replace(file.name, place)
