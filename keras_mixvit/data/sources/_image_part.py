"""Some images of a set."""

import dataclasses

import numpy as np

from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.data.sources._image_source import ImageSource, without_empty


class SourcePart(ImageSource):
    """Some images of a source, read on demand.

    Args:
        source: `ImageSource`.
        chosen: Integer array, indices of the images.
    """

    def __init__(self, source: ImageSource, chosen: np.ndarray):
        super().__init__(source.image_shape, source.varies, source.resize_share)
        self.source, self.chosen = source, chosen

    def __len__(self):
        return len(self.chosen)

    @property
    def shards(self):
        starts = self.source.shards
        if starts is None or (np.diff(self.chosen) < 0).any():
            return None
        return without_empty(np.searchsorted(self.chosen, starts), len(self))

    def original(self, index):
        return self.source.original(int(self.chosen[index]))

    def read(self, indices, crop=None):
        return self.source.read(self.chosen[np.asarray(indices)], crop)


def part_of(images: ImageSet, chosen: np.ndarray) -> ImageSet:
    """The images of some indices, in their order.

    Args:
        images: `ImageSet`.
        chosen: Integer array, indices of the images.

    Returns:
        An `ImageSet` with the class names and published statistics of all.
    """
    source = images.images
    if isinstance(source, ImageSource):
        part = SourcePart(source, chosen)
    else:
        part = source[chosen]
    return dataclasses.replace(images, images=part, labels=images.labels[chosen])
