"""Sources of images: arrays, folders and TensorFlow Datasets."""

from keras_mixvit.data.sources._image_array import ImageArray
from keras_mixvit.data.sources._image_folder import ImageFolder
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.data.sources._image_source import ImageSource
from keras_mixvit.data.sources._tfds_images import TFDSImages

__all__ = ["ImageArray", "ImageFolder", "ImageSet", "ImageSource", "TFDSImages"]
