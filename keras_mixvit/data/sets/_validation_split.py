"""A validation split, cut from the training images."""

import numpy as np

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data.sources._image_part import part_of
from keras_mixvit.data.sources._image_set import ImageSet

# One split for all seeds of a training: runs of several seeds, and the members
# of an ensemble, must not train on each other's validation images.
SEED = 0
# Shares such as 0.29 have no exact float: 100 * 0.29 is below 29.
DIGITS = 9


def validation_indices(labels, share: float, seed: int = SEED) -> np.ndarray:
    """Which training images make the validation split.

    It depends on the labels, the share and the seed alone and draws with NumPy.
    So every backend and every process cuts the same split. The number of images
    is the share of all, rounded. Each class gives its share, rounded down or up
    so that the total is met; the classes whose share has the largest fraction
    are rounded up. Every class keeps a training image.

    Args:
        labels: Integer array `(n,)`.
        share: Float in (0, 1), the share of the images.
        seed: Non-negative integer. Defaults to `0`.

    Returns:
        Integer array of indices, ascending.

    Raises:
        ValueError: If `share` is out of range, or leaves either part empty.

    Example:

    ```python
    from keras_mixvit.data.sets._validation_split import validation_indices

    labels = np.repeat([0, 1, 2], [50, 30, 20])
    chosen = validation_indices(labels, 0.1)
    assert np.bincount(labels[chosen]).tolist() == [5, 3, 2]
    ```
    """
    require_val_share(share)
    require_positive_integer("seed", seed, minimum=0)
    labels = np.asarray(labels)
    counts = np.bincount(labels)
    total = int(np.floor(np.round(share * len(labels), DIGITS) + 0.5))
    room = np.maximum(counts - 1, 0)
    require(
        0 < total <= room.sum(),
        "`val_share` must give at least one validation image and leave every class at "
        "least one training image.",
        val_share=share,
        images=len(labels),
        classes=int((counts > 0).sum()),
    )
    exact = np.round(share * counts, DIGITS)
    taken = np.minimum(np.floor(exact).astype(int), room)
    # The largest fractions first; among equals, the lower label.
    order = np.argsort(taken - exact, kind="stable")
    while (missing := total - taken.sum()) > 0:
        taken[order[taken[order] < room[order]][:missing]] += 1
    chosen = [
        np.random.default_rng([seed, int(label)]).permutation(
            np.flatnonzero(labels == label)
        )[: taken[label]]
        for label in np.flatnonzero(taken)
    ]
    return np.sort(np.concatenate(chosen))


def with_validation(
    images: ImageSet, share: float, seed: int = SEED
) -> tuple[ImageSet, ImageSet]:
    """Splits training images into images to train on and to validate on.

    Args:
        images: `ImageSet` of all training images.
        share: Float in (0, 1), the share of the images to validate on.
        seed: Non-negative integer. Defaults to `0`.

    Returns:
        Two `ImageSet`s, each in the order of all.

    Raises:
        ValueError: If `share` is out of range, or leaves either part empty.

    Example:

    ```python
    from keras_mixvit.data.sets._validation_split import with_validation

    train, val = with_validation(load("digits"), 0.1)
    assert (len(train.labels), len(val.labels)) == (900, 100)
    ```
    """
    chosen = validation_indices(images.labels, share, seed)
    others = np.setdiff1d(np.arange(len(images.labels)), chosen)
    return part_of(images, others), part_of(images, chosen)


def require_val_share(share) -> None:
    """Requires a share in (0, 1)."""
    is_number = isinstance(share, (int, float)) and not isinstance(share, bool)
    require(
        is_number and 0 < share < 1, "`val_share` must be in (0, 1).", val_share=share
    )
