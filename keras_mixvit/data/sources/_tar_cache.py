"""Keeps the index of .tar files, so that their headers are read only once."""

from collections.abc import Sequence

import numpy as np

from keras_mixvit.data.sources._file_checks import for_all
from keras_mixvit.data.sources._shard_cache import (
    cache_file,
    read_kept,
    states_of,
    write_kept,
)
from keras_mixvit.data.sources._tar_index import TarIndex, indexed


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
    states = states_of(paths)
    place = cache_file(paths, image, label)
    kept = read_kept(place, states)
    found = None if kept is None else _whole(kept, len(states))
    if found is None:
        # In threads, because each of them waits for the disk.
        scanned = for_all(
            lambda path: indexed(path, image, label),
            paths,
            f"Reading the headers of {len(paths):,} shards",
        )
        found = index, starts = joined([part for _, part in scanned])
        arrays = index._asdict() | {"words": np.array(index.words), "starts": starts}
        write_kept(place, states, arrays)
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


def _whole(kept, shards):
    """The arrays of a cache as an index, or `None` if they do not fit together."""
    try:
        kept["words"] = tuple(kept["words"].tolist())
        index = TarIndex(**{name: kept[name] for name in TarIndex._fields})
        starts = kept["starts"]
        is_whole = (
            {len(array) for array in index[:4]} == {len(index.codes)}
            and len(starts) == shards
            and 0 <= index.codes.min() <= index.codes.max() < len(index.words)
        )
    # A cache is no place for errors: the shards are read again.
    except Exception:
        return None
    return (index, starts) if is_whole else None
