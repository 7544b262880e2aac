"""Data: sources of images and data sets of mixed pairs."""

from keras_mixvit.data.image_set import ImageSet
from keras_mixvit.data.load import load
from keras_mixvit.data.mixed_pair_dataset import (
    MixedPairDataset,
    mixed_pair_dataset,
)

__all__ = ["ImageSet", "MixedPairDataset", "load", "mixed_pair_dataset"]
