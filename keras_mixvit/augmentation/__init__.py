"""Augmentation of images: drawn in NumPy, applied on any array library."""

from keras_mixvit.augmentation._aug_mix import AugMix
from keras_mixvit.augmentation._augment import Augment
from keras_mixvit.augmentation._augmentation import Augmentation
from keras_mixvit.augmentation._auto_augment import AutoAugment
from keras_mixvit.augmentation._horizontal_flip import HorizontalFlip
from keras_mixvit.augmentation._keras_layer import KerasLayer
from keras_mixvit.augmentation._pad_crop import PadCrop
from keras_mixvit.augmentation._rand_augment import RandAugment
from keras_mixvit.augmentation._random_erasing import RandomErasing
from keras_mixvit.augmentation._random_resized_crop import RandomResizedCrop

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
