"""Moves the axis of subnetworks into the batch or the height, and back."""

from typing import Any

from keras import ops


def copied(x: Any, num_subnetworks: int) -> Any:
    """`(B, ...)` as `(B, M, ...)`: each sample M times."""
    return ops.repeat(ops.expand_dims(x, 1), num_subnetworks, axis=1)


def folded(x: Any) -> Any:
    """`(B, M, ...)` as `(B·M, ...)`."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def unfolded(x: Any, num_subnetworks: int) -> Any:
    """`(B·M, ...)` as `(B, M, ...)`."""
    return ops.reshape(x, (-1, num_subnetworks, *x.shape[1:]))


def repeated(tokens: Any, num_subnetworks: int) -> Any:
    """Tokens `(B, P, d)` once per subnetwork, `(B·M, P, d)`; `None` stays `None`."""
    return None if tokens is None else folded(copied(tokens, num_subnetworks))


def stacked(grids: Any) -> Any:
    """M grids `(B, M, h, w, d)` on top of each other, `(B, M·h, w, d)`."""
    _, num_subnetworks, height, width, features = grids.shape
    return ops.reshape(grids, (-1, num_subnetworks * height, width, features))
