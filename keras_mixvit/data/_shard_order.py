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


def images_of_groups(
    starts: np.ndarray, count: int, num_groups: int
) -> list[np.ndarray]:
    """The images of each group of shards, ascending.

    Group g of G holds the shards g, g + G, g + 2 G and so on, in every epoch.

    Args:
        starts: Integer array `(S,)`, the first image of each shard, ascending from 0.
        count: Integer, the number n of images.
        num_groups: Integer G, at most S.
    """
    owner = np.repeat(np.arange(len(starts)), np.diff(starts, append=count))
    return [np.flatnonzero(owner % num_groups == g) for g in range(num_groups)]


def grouped_order(rng, starts: np.ndarray, groups: list[np.ndarray]) -> np.ndarray:
    """A random order of each group of shards, as `shard_order` draws it.

    Images that the smallest group cannot match are left out, in each order others.

    Args:
        rng: The only source of chance.
        starts: Integer array `(S,)`, the first image of each shard, ascending from 0.
        groups: List of G integer arrays, as `images_of_groups` returns them.

    Returns:
        Integer array `(G, size of the smallest group)`.
    """
    shortest = min(map(len, groups))
    orders = []
    for g, images in enumerate(groups):
        own = np.searchsorted(images, starts[g :: len(groups)])
        orders.append(images[shard_order(rng, own, len(images))][:shortest])
    return np.stack(orders)
