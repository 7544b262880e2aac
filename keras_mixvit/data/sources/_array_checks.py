"""Checks of arrays of images and labels."""

import numpy as np

from keras_mixvit._checks import require

CHUNK = 1024


def require_images(name: str, images, rank: int = 4) -> np.ndarray:
    """Images as an array, of finite numbers and the given rank.

    Args:
        name: String, what errors call the array.
        images: Array-like.
        rank: Integer, 4 for images and 5 for mixed pairs. Defaults to `4`.

    Returns:
        The same values as a NumPy array.
    """
    images = np.asarray(images)
    form = "(n, H, W, C)" if rank == 4 else "(B, M, H, W, C)"
    require(
        images.dtype.kind in "fu",
        f"`{name}` must be of a floating-point or unsigned-integer dtype.",
        dtype=str(images.dtype),
    )
    require(
        images.ndim == rank,
        f"`{name}` must have shape {form}; grey images have C = 1.",
        shape=images.shape,
    )
    require(images.size > 0, f"`{name}` must not be empty.", shape=images.shape)
    if images.dtype.kind == "f":
        # In chunks: a Boolean copy of a large set would not fit everywhere.
        finite = all(
            np.isfinite(images[i : i + CHUNK]).all()
            for i in range(0, len(images), CHUNK)
        )
        require(
            finite, f"`{name}` must be finite.", value="an image with NaN or infinity"
        )
    return images


def require_labels(
    name: str, labels, num_classes: int | None = None, rank: int = 1
) -> np.ndarray:
    """Labels in range, as int32 or soft float32 labels.

    Args:
        name: String, what errors call the array.
        labels: Array-like, integers of the rank, or soft labels of one more.
        num_classes: Integer K, or `None` where it is not known. Defaults to
            `None`.
        rank: Integer, 1 for images and 2 for mixed pairs. Defaults to `1`.

    Returns:
        int32 array of the rank, or float32 array of one more.
    """
    labels = np.asarray(labels)
    require(labels.size > 0, f"`{name}` must not be empty.", shape=labels.shape)
    if rank == 1 and labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.ndim == rank + 1:
        return _require_soft(name, labels, num_classes)
    require(
        labels.ndim == rank,
        f"`{name}` must be integers of rank {rank} or soft labels of rank {rank + 1}.",
        shape=labels.shape,
    )
    require(
        labels.dtype.kind in "iu",
        f"`{name}` must be of an integer dtype.",
        dtype=str(labels.dtype),
    )
    low, high = int(labels.min()), int(labels.max())
    require(
        low >= 0 and (num_classes is None or high < num_classes),
        f"`{name}` must not be negative."
        if num_classes is None
        else f"`{name}` must be in 0 to {num_classes - 1}.",
        range=(low, high),
    )
    return labels.astype("int32", copy=False)


def _require_soft(name, labels, num_classes):
    require(
        num_classes is None or labels.shape[-1] == num_classes,
        f"`{name}` must have {num_classes} classes.",
        shape=labels.shape,
    )
    require(
        labels.dtype.kind == "f",
        f"`{name}` must be soft labels of a floating-point dtype.",
        dtype=str(labels.dtype),
    )
    # Comparisons with NaN are false.
    distributions = np.all(labels >= 0, axis=-1) & (
        np.abs(labels.sum(axis=-1, dtype="float64") - 1) < 1e-3
    )
    require(
        distributions.all(),
        f"`{name}` must be soft labels that are not negative and sum to 1.",
        label=labels[~distributions][:1].tolist(),
    )
    return labels.astype("float32", copy=False)
