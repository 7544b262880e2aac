"""Augmentation of images: chance drawn in NumPy, changes on any array library."""

from keras_mixvit.augmentation.aug_mix import AugMix
from keras_mixvit.augmentation.augment import Augment
from keras_mixvit.augmentation.augmentation import Augmentation
from keras_mixvit.augmentation.auto_augment import AutoAugment
from keras_mixvit.augmentation.horizontal_flip import HorizontalFlip
from keras_mixvit.augmentation.keras_layer import KerasLayer
from keras_mixvit.augmentation.pad_crop import PadCrop
from keras_mixvit.augmentation.rand_augment import RandAugment
from keras_mixvit.augmentation.random_erasing import RandomErasing
from keras_mixvit.augmentation.random_resized_crop import RandomResizedCrop

__all__ = [
    "AugMix",
    "Augment",
    "Augmentation",
    "AutoAugment",
    "HorizontalFlip",
    "KerasLayer",
    "PadCrop",
    "RandAugment",
    "RandomErasing",
    "RandomResizedCrop",
]
