"""Images, labels, masks and options that a data set refuses."""

import numpy as np
import pytest

from keras_mixvit.data import mixed_pair_dataset
from keras_mixvit.masks import PatchCutMix
from tests.data.pairs import Wrong, numbered, pairs

NOT_FINITE = r"`x` must be finite\. Received: value='an image with NaN or infinity'"


def with_value(value):
    x = numbered(24)
    x[13, 1, 2, 0] = value
    return x


@pytest.mark.parametrize(
    ("x", "text"),
    [
        (
            numbered(23),
            r"`x` and `y` must have the same length\. Received: x=23, y=24",
        ),
        (
            numbered(0),
            r"`x` must not be empty\. Received: shape=\(0, 4, 6, 2\)",
        ),
        (
            numbered(24)[..., 0],
            r"`x` must have shape \(n, H, W, C\); grey images have C = 1\. "
            r"Received: shape=\(24, 4, 6\)",
        ),
        (with_value(np.nan), NOT_FINITE),
        (with_value(np.inf), NOT_FINITE),
        (with_value(-np.inf), NOT_FINITE),
    ],
)
def test_wrong_images_are_refused(x, text):
    with pytest.raises(ValueError, match=text):
        pairs(x=x)


@pytest.mark.parametrize("dtype", ["bool", "object", "int64", "str", "complex64"])
def test_images_of_another_dtype_are_refused(dtype):
    x = numbered(24).astype(dtype)
    text = (
        r"`x` must be of a floating-point or unsigned-integer dtype\. "
        rf"Received: dtype='{x.dtype}'"
    )
    with pytest.raises(ValueError, match=text):
        pairs(x=x)


def test_nan_is_found_beyond_the_first_chunk():
    x = np.zeros((1030, 2, 2, 1), "float32")
    x[1027, 0, 0, 0] = np.nan
    with pytest.raises(ValueError, match=NOT_FINITE):
        mixed_pair_dataset(x, np.zeros(1030, int), PatchCutMix(2), epochs=1)


def soft(*row):
    """Soft labels of 24 images, a wrong one among them."""
    labels = np.full((24, 2), 0.5)
    labels[7] = row
    return labels


@pytest.mark.parametrize(
    ("y", "text"),
    [
        (
            np.arange(24) - 1,
            r"`y` must not be negative\. Received: range=\(-1, 22\)",
        ),
        (
            np.arange(24.0),
            r"`y` must be of an integer dtype\. Received: dtype='float64'",
        ),
        (
            np.ones(24, bool),
            r"`y` must be of an integer dtype\. Received: dtype='bool'",
        ),
        (
            np.arange(24)[:0],
            r"`y` must not be empty\. Received: shape=\(0,\)",
        ),
        (
            np.zeros((24, 2, 2)),
            r"`y` must be integers of rank 1 or soft labels of rank 2\. "
            r"Received: shape=\(24, 2, 2\)",
        ),
        (
            soft(0.5, 0.6),
            r"`y` must be soft labels that are not negative and sum to 1\. "
            r"Received: label=\[\[0\.5, 0\.6\]\]",
        ),
        (
            soft(-0.5, 1.5),
            r"`y` must be soft labels that are not negative and sum to 1\. "
            r"Received: label=\[\[-0\.5, 1\.5\]\]",
        ),
        (
            soft(np.nan, 1),
            r"`y` must be soft labels that are not negative and sum to 1\. "
            r"Received: label=\[\[nan, 1\.0\]\]",
        ),
    ],
)
def test_wrong_labels_are_refused(y, text):
    with pytest.raises(ValueError, match=text):
        pairs(y=y)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        (
            {"batch_size": 25},
            r"`batch_size` must not exceed the number of images\. "
            r"Received: batch_size=25, images=24",
        ),
        (
            {"batch_size": 0},
            r"`batch_size` must be an integer of at least 1\. Received: batch_size=0",
        ),
        (
            {"epochs": 0},
            r"`epochs` must be an integer of at least 1\. Received: epochs=0",
        ),
        (
            {"epochs": 2.0},
            r"`epochs` must be an integer of at least 1\. Received: epochs=2\.0",
        ),
        (
            {"epochs": True},
            r"`epochs` must be an integer of at least 1\. Received: epochs=True",
        ),
        (
            {"seed": -1},
            r"`seed` must be an integer of at least 0\. Received: seed=-1",
        ),
        (
            {"masks": PatchCutMix(3)},
            r"`masks\.patch_size` must divide the image size\. "
            r"Received: patch_size=3, image_size=\(4, 6\)",
        ),
        (
            {"masks": PatchCutMix(4)},
            r"`masks\.patch_size` must divide the image size\. "
            r"Received: patch_size=4, image_size=\(4, 6\)",
        ),
        (
            {"masks": "cutmix"},
            r"`masks` must be a `MaskSampler`\. Received: masks='cutmix'",
        ),
    ],
)
def test_wrong_options_are_refused(changes, text):
    with pytest.raises(ValueError, match=text):
        pairs(**changes)


HALVES = np.full((8, 2, 2, 3), 0.5, "float32")


@pytest.mark.parametrize(
    ("masks", "text"),
    [
        (
            HALVES[:, :, :1],
            r"`masks` must have shape \(8, 2, 2, 3\)\. "
            r"Received: shape=\(8, 2, 1, 3\)",
        ),
        (
            HALVES[:4],
            r"`masks` must have shape \(8, 2, 2, 3\)\. "
            r"Received: shape=\(4, 2, 2, 3\)",
        ),
        (
            HALVES[:, 0],
            r"`masks` must have shape \(8, 2, 2, 3\)\. Received: shape=\(8, 2, 3\)",
        ),
        (
            HALVES / 2,
            r"`masks` must sum to 1 over the subnetworks\. Received: sum=0\.5",
        ),
        (
            HALVES * np.nan,
            r"`masks` must be in \[0, 1\]\. Received: range=\(nan, nan\)",
        ),
        (
            HALVES + np.array([1, -1], "float32")[:, None, None],
            r"`masks` must be in \[0, 1\]\. Received: range=\(-0\.5, 1\.5\)",
        ),
    ],
)
def test_wrong_masks_of_a_sampler_are_refused(masks, text):
    with pytest.raises(ValueError, match=text):
        pairs(masks=Wrong(masks))[0]
