"""Keeps what was found in shards, so that their headers are read only once."""

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from keras_mixvit.data.sources._file_checks import for_all
from keras_mixvit.data.sources._tar_index import TarIndex, indexed

FORM = 1


def index_of(
    paths: Sequence[str], image: str | None = None, label: str | None = None
) -> tuple[TarIndex, np.ndarray]:
    """The images of several shards, from the cache if no shard has changed.

    Args:
        paths: Paths of the shards.
        image: See `indexed`. Defaults to `None`.
        label: See `indexed`. Defaults to `None`.

    Returns:
        A `TarIndex` of all, and the index of the first image of each shard.

    Raises:
        ValueError: As `indexed`.
    """
    facts = [os.stat(path) for path in paths]
    states = np.array([(fact.st_size, fact.st_mtime_ns) for fact in facts], "int64")
    place = cache_file(paths, image, label)
    found = _read(place, states)
    if found is None:
        # In threads, because each of them waits for the disk.
        scanned = for_all(
            lambda path: indexed(path, image, label),
            paths,
            f"Reading the headers of {len(paths):,} shards",
        )
        found = joined([index for _, index in scanned])
        _write(place, states, *found)
    return found


def joined(parts: Sequence[TarIndex]) -> tuple[TarIndex, np.ndarray]:
    """The images of several shards as one index, and where each shard begins."""
    words: dict[str, int] = {}
    codes = []
    for part in parts:
        own = [words.setdefault(word, len(words)) for word in part.words]
        codes.append(np.array(own, "int32")[part.codes])
    ends = np.cumsum([len(part.codes) for part in parts])
    index = TarIndex(
        np.concatenate([part.headers for part in parts]),
        np.concatenate([part.places for part in parts]),
        np.concatenate([part.lengths for part in parts]),
        np.concatenate(codes),
        tuple(words),
    )
    return index, np.append(0, ends[:-1])


def cache_file(paths: Sequence[str], image: str | None, label: str | None) -> Path:
    """Where the index of some shards is kept."""
    facts = (FORM, [os.path.abspath(path) for path in paths], image, label)
    name = hashlib.sha256(repr(facts).encode(errors="surrogateescape")).hexdigest()
    return cache_folder() / f"{name[:32]}.npz"


def cache_folder() -> Path:
    """The user's folder of caches, or the one of `XDG_CACHE_HOME`."""
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    return Path(base, "keras_mixvit", "shards")


def _read(place, states):
    """What is kept, or `None` if it is damaged or of other files."""
    try:
        with place.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
            kept: dict[str, Any] = {name: file[name] for name in file}
        kept["words"] = tuple(kept["words"].tolist())
        index = TarIndex(**{name: kept[name] for name in TarIndex._fields})
        starts = kept["starts"]
        is_whole = np.array_equal(kept["states"], states) and (
            {len(array) for array in index[:4]} == {len(index.codes)}
            and len(starts) == len(states)
            and 0 <= index.codes.min() <= index.codes.max() < len(index.words)
        )
    # A cache is no place for errors: the shards are read again.
    except Exception:
        return None
    return (index, starts) if is_whole else None


def _write(place, states, index, starts):
    # A folder that cannot be written costs time, and nothing else.
    with contextlib.suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        arrays = index._asdict() | {"words": np.array(index.words)}
        with tempfile.NamedTemporaryFile(dir=place.parent, delete=False) as file:
            try:
                np.savez(file, states=states, starts=starts, **arrays)
            except OSError:
                os.unlink(file.name)
                raise
        # Other processes see all of it or nothing.
        os.replace(file.name, place)
