"""Small data sets of mixed pairs, for tests."""

import numpy as np

from keras_mixvit.data import mixed_pair_dataset
from keras_mixvit.masks import MaskSampler, PatchCutMix


def numbered(count, shape=(4, 6, 2), dtype="float32"):
    """Images whose pixels are all the index of the image."""
    return np.broadcast_to(
        np.arange(count).reshape(-1, 1, 1, 1), (count, *shape)
    ).astype(dtype)


def pairs(count=24, masks=None, x=None, y=None, **changes):
    """A small data set whose image i has the label i."""
    options = {"epochs": 3, "batch_size": 8, **changes}
    return mixed_pair_dataset(
        numbered(count) if x is None else x,
        np.arange(count) if y is None else y,
        PatchCutMix(patch_size=2) if masks is None else masks,
        **options,
    )


def indices(inputs):
    """Indices `(B, M)` of the images of a batch."""
    images = inputs["images"]
    found = images[:, :, 0, 0, 0]
    assert np.all(images == found[:, :, None, None, None])
    return found.astype(int)


def same(one, other):
    (inputs, labels), (other_inputs, other_labels) = one, other
    return (
        np.array_equal(inputs["images"], other_inputs["images"])
        and np.array_equal(inputs["masks"], other_inputs["masks"])
        and np.array_equal(labels, other_labels)
    )


class Recorder(MaskSampler):
    """Constant masks, and what was asked for."""

    num_subnetworks, patch_size = 2, 2

    def __init__(self):
        self.asked = []

    def draw(self, rng, batch_size, image_size, progress=0.0):
        self.asked.append((batch_size, tuple(image_size), progress))
        return np.full((batch_size, 2, *self.grid_shape(image_size)), 0.5, "float32")


class Wrong(MaskSampler):
    """Masks as they are given, whatever is asked for."""

    num_subnetworks, patch_size = 2, 2

    def __init__(self, masks):
        self.masks = masks

    def draw(self, rng, batch_size, image_size, progress=0.0):
        return self.masks
