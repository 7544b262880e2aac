"""The features between two stages: a grid, or a grid and prefix tokens.

Prefix tokens `(B, P, d)` belong to no position of the image: a class token and
registers. A network without them passes the grid alone; otherwise it passes a list of
both.
"""

from typing import Any

from keras import ops


def grid_of(features: Any) -> Any:
    """The grid `(B, h, w, d)` of the features."""
    return features[0] if isinstance(features, (list, tuple)) else features


def prefix_of(features: Any) -> Any:
    """The prefix tokens `(B, P, d)` of the features, or `None`."""
    return features[1] if isinstance(features, (list, tuple)) else None


def with_prefix(grid: Any, prefix: Any) -> Any:
    """The features of a grid, and of prefix tokens unless they are `None`."""
    return grid if prefix is None else [grid, prefix]


def joined(features: Any) -> Any:
    """Prefix tokens, then those of the grid, `(B, P + h·w, d)`; or the grid alone."""
    grid, prefix = grid_of(features), prefix_of(features)
    if prefix is None:
        return grid
    _, height, width, size = grid.shape
    patches = ops.reshape(grid, (-1, height * width, size))
    return ops.concatenate([prefix, patches], axis=1)


def parted(tokens: Any, like: Any) -> Any:
    """The inverse of `joined`: tokens in the shape of the features before it."""
    grid, prefix = grid_of(like), prefix_of(like)
    if prefix is None:
        return tokens
    count = prefix.shape[1]
    patches = ops.reshape(tokens[:, count:], (-1, *grid.shape[1:]))
    return [patches, tokens[:, :count]]
