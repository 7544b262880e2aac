"""Data: sources of images and data sets of mixed pairs."""

from keras_mixvit.data.image_set import ImageSet
from keras_mixvit.data.load import load
from keras_mixvit.data.manifold_mixing import ManifoldMixing
from keras_mixvit.data.mixed_pair_dataset import (
    MixedPairDataset,
    mixed_pair_dataset,
)
from keras_mixvit.data.pixel_mixing import PixelMixing

__all__ = [
    "ImageSet",
    "ManifoldMixing",
    "MixedPairDataset",
    "PixelMixing",
    "load",
    "mixed_pair_dataset",
]
