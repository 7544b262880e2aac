import abc

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sets._intact_images import intact
from keras_mixvit.data.sources._encoded_images import EncodedImages, EncodedItems
from keras_mixvit.data.sources._image_set import ImageSet


class EncodedSet(abc.ABC):
    """A set whose images are contents of image files inside larger files.

    Args:
        name: String, the name of the set in errors.
    """

    def __init__(self, name: str):
        self.name = name

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """The splits that exist and have no labels."""
        return ()

    @abc.abstractmethod
    def splits(self) -> tuple[str, ...]:
        """The splits that exist and have labels."""

    @abc.abstractmethod
    def classes(self) -> tuple[str, ...]:
        """Names of the classes."""

    @abc.abstractmethod
    def items(self, split: str) -> EncodedItems:
        """The images of a split."""

    @abc.abstractmethod
    def labels(self, split: str) -> np.ndarray:
        """The labels of a split, each the index of a class."""

    def load(
        self, split: str, image_size, resize_share, on_error: str, leave_out=()
    ) -> ImageSet:
        """The images of a split, read on demand."""
        items, labels, skipped = intact(
            self.items(split),
            self.labels(split),
            split,
            on_error,
            leave_out,
            self.name,
        )
        channels = None
        if split != "train":
            # The other splits must have the channels of the train split.
            train = EncodedImages(self.items("train"), self.name, image_size)
            channels = train.channels
        images = EncodedImages(items, self.name, image_size, channels, resize_share)
        images.skipped = skipped
        if split != "train":
            require(
                images.image_shape == train.image_shape,
                "`image_size` must be given if images differ in size.",
                train=train.image_size,
                **{split: images.image_size},
            )
        return ImageSet(images, labels, self.classes())
