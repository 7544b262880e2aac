"""Arguments of each public class of `keras_mixvit.augmentation`, none its default."""

import keras

from keras_mixvit import augmentation

FLIP = keras.layers.RandomFlip()


ARGUMENTS = {
    "AugMix": lambda: {"severity": 1.0, "width": 2, "depth": 3, "fill": 9.0},
    "KerasLayer": lambda: {"layer": FLIP},
    "RandomResizedCrop": lambda: {
        "size": (4, 6),
        "scale": (0.2, 0.9),
        "aspect": (0.5, 2.0),
    },
    "Augment": lambda: {"augmentations": (augmentation.PadCrop(),)},
    "AutoAugment": lambda: {"policy": "imagenet", "fill": 0.0},
    "HorizontalFlip": lambda: {"probability": 0.25},
    "PadCrop": lambda: {"padding": 2},
    "RandAugment": lambda: {
        "num_operations": 3,
        "magnitude": 5.0,
        "deviation": 0.0,
        "fill": 0.0,
    },
    "RandomErasing": lambda: {"probability": 0.5, "mean": 0.0, "std": (1.0, 2.0, 3.0)},
}
