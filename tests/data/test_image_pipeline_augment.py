"""Each image of a batch, and each partner, is augmented by itself."""

import re

import numpy as np
import pytest

from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop, RandomErasing
from keras_mixvit.data import PixelMixing, mixed_pair_dataset
from keras_mixvit.masks import PatchCutMix


def test_every_occurrence_of_an_image_is_augmented_by_itself():
    x = np.random.default_rng(0).integers(256, size=(4, 8, 8, 1)).astype("uint8")
    augment = Augment([PadCrop(3), HorizontalFlip()])
    arguments = {"epochs": 1, "batch_size": 16, "repetitions": 4, "seed": 2}
    masks = PatchCutMix(4)
    inputs, labels = mixed_pair_dataset(
        x, np.arange(4), masks, augment=augment, **arguments
    )[0]
    assert inputs["images"].dtype == np.uint8
    for label in range(4):
        copies = inputs["images"][labels == label]
        assert len(np.unique(copies.reshape(len(copies), -1), axis=0)) > 4


def test_partners_of_pixel_mixing_are_augmented_too():
    x = np.full((8, 8, 8, 1), 200, "uint8")
    data = mixed_pair_dataset(
        x,
        np.arange(8),
        PatchCutMix(4),
        epochs=1,
        batch_size=8,
        num_classes=8,
        augment=Augment([RandomErasing(1.0, mean=-500.0, std=1.0)]),
        pixel_mixing=PixelMixing("mixup", probability=1.0),
    )
    images = data[0][0]["images"]
    # Where both boxes lie, nothing of the images is left in the mixture.
    assert images.min() < -400


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"augment": 1}, "`augment` must be a `Augment` or None. Received: augment=1"),
        (
            {"augment": Augment([PadCrop()]), "x": np.zeros((8, 8, 8, 1), "float32")},
            "`x` must be uint8 if images are augmented. Received: dtype='float32'",
        ),
    ],
)
def test_what_cannot_be_augmented_is_refused(arguments, message):
    x = arguments.pop("x", np.zeros((8, 8, 8, 1), "uint8"))
    with pytest.raises(ValueError, match=re.escape(message)):
        mixed_pair_dataset(
            x, np.arange(8), PatchCutMix(4), epochs=1, batch_size=8, **arguments
        )
