"""Moving the axis of subnetworks into the batch or the height, and back."""

from keras import ops


def folded(x):
    """`(B, M, ...)` as `(B·M, ...)`."""
    return ops.reshape(x, (-1, *x.shape[2:]))


def unfolded(x, members: int):
    """`(B·M, ...)` as `(B, M, ...)`."""
    return ops.reshape(x, (-1, members, *x.shape[1:]))


def stacked(grids):
    """M grids `(B, M, h, w, d)` on the height of one, `(B, M·h, w, d)`."""
    _, members, height, width, features = grids.shape
    return ops.reshape(grids, (-1, members * height, width, features))
