"""Augmentation of images: chance drawn in NumPy, changes on any array library."""

from keras_mixvit.augmentation.augment import Augment
from keras_mixvit.augmentation.augmentation import Augmentation
from keras_mixvit.augmentation.auto_augment import AutoAugment
from keras_mixvit.augmentation.horizontal_flip import HorizontalFlip
from keras_mixvit.augmentation.pad_crop import PadCrop
from keras_mixvit.augmentation.rand_augment import RandAugment
from keras_mixvit.augmentation.random_erasing import RandomErasing

__all__ = [
    "Augment",
    "Augmentation",
    "AutoAugment",
    "HorizontalFlip",
    "PadCrop",
    "RandAugment",
    "RandomErasing",
]
