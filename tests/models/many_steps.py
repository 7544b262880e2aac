"""Trainings that many steps are compared on."""

import keras
import numpy as np

from keras_mixvit import SingleNetwork, mixed_pair_dataset
from keras_mixvit.augmentation import (
    Augment,
    HorizontalFlip,
    PadCrop,
    RandomErasing,
)
from keras_mixvit.data import PixelMixing
from tests.helpers import set_weights, tiny_convit

BACKEND = keras.config.backend()
CLASSES = 5
SOFT = keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=0.1)


def pixels(count=26, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(0, 256, (count, 8, 12, 3)).astype("uint8")


def pairs_of(
    model, partners="batch", drop_remainder=True, apply_on="device", **options
):
    x = pixels()
    augment = Augment([PadCrop(2), HorizontalFlip(), RandomErasing(0.5)])
    return mixed_pair_dataset(
        x,
        np.arange(len(x)) % CLASSES,
        model.mask_sampler(),
        epochs=3,
        batch_size=4,
        num_classes=CLASSES,
        augment=augment,
        pixel_mixing=PixelMixing(
            "cutmix_and_mixup", probability=0.7, partners=partners
        ),
        drop_remainder=drop_remainder,
        apply_on=apply_on,
        **options,
    )


class WithNone(keras.utils.PyDataset):
    """Batches of three, the last of which is `None`; one may be damaged."""

    def __init__(self, damaged=None):
        super().__init__()
        self.damaged = damaged

    def __len__(self):
        return 4

    def __getitem__(self, index):
        classes = CLASSES + (index == self.damaged)
        labels = np.eye(classes, dtype="float32")[np.arange(4) % classes]
        return pixels(4, seed=index), labels, None


def single(steps_per_execution):
    keras.utils.set_random_seed(0)
    model = SingleNetwork(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
    set_weights(model)
    model.compile("sgd", SOFT, steps_per_execution=steps_per_execution)
    return model
