"""The order of images that are stored in shards."""

import numpy as np

# The least number of shards, and of images, whose images are mixed with each other.
SHARDS = 16
IMAGES = 10_000


def shard_order(rng, starts: np.ndarray, count: int) -> np.ndarray:
    """A random order in which only a few shards are read at a time.

    The order of the shards is drawn, and cut into windows of at least 16 shards
    and 10,000 images. The images of a window are mixed with each other. Where that
    makes one window, every order is equally likely.

    Args:
        rng: The only source of chance.
        starts: Integer array `(S,)`, the first image of each shard, ascending from 0.
        count: Integer, the number n of images.

    Returns:
        Integer array `(n,)`, each index once.
    """
    ends = np.append(starts[1:], count)
    windows = max(1, min(len(starts) // SHARDS, count // IMAGES))
    order = np.empty(count, "int64")
    place = 0
    for shards in np.array_split(rng.permutation(len(starts)), windows):
        parts = [np.arange(starts[shard], ends[shard]) for shard in shards]
        window = np.concatenate(parts)
        rng.shuffle(window)
        order[place : place + len(window)] = window
        place += len(window)
    return order
