"""Data: sources of images and data sets of mixed pairs."""

from keras_mixvit.data._manifold_mixing import ManifoldMixing
from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset, mixed_pair_dataset
from keras_mixvit.data._pixel_mixing import PixelMixing
from keras_mixvit.data.sets._corrupted import CORRUPTIONS as CORRUPTIONS
from keras_mixvit.data.sets._corrupted import load_corrupted
from keras_mixvit.data.sets._inspection import Inspection, inspect
from keras_mixvit.data.sets._load import load
from keras_mixvit.data.sets._split_facts import SplitFacts
from keras_mixvit.data.sources._image_array import ImageArray
from keras_mixvit.data.sources._image_folder import ImageFolder
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.data.sources._tfds_images import TFDSImages

__all__ = [
    "ImageArray",
    "ImageFolder",
    "ImageSet",
    "ImageSource",
    "Inspection",
    "ManifoldMixing",
    "MixedPairDataset",
    "PixelMixing",
    "SplitFacts",
    "TFDSImages",
    "inspect",
    "load",
    "load_corrupted",
    "mixed_pair_dataset",
]
