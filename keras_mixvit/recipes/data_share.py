"""A share of a set of images."""

import dataclasses

import numpy as np

from keras_mixvit.data.image_set import ImageSet
from keras_mixvit.data.image_source import ImageSource

# Whatever the seed of a recipe: members of an ensemble see the same images.
SEED = 0


class SourcePart(ImageSource):
    """Some images of a source, read when they are asked for.

    Args:
        source: `ImageSource`.
        chosen: Integer array, indices of the images.
    """

    def __init__(self, source: ImageSource, chosen: np.ndarray):
        super().__init__(source.image_shape, source.varies, source.resize_share)
        self.source, self.chosen = source, chosen

    def __len__(self):
        return len(self.chosen)

    def original(self, index):
        return self.source.original(int(self.chosen[index]))


def share_of(images: ImageSet, share: float) -> ImageSet:
    """A share of the images of each class, at least one, drawn once.

    Args:
        images: `ImageSet`.
        share: Float in (0, 1].

    Returns:
        An `ImageSet`, with the statistics of all.
    """
    if share == 1:
        return images
    rng = np.random.default_rng(SEED)
    order = []
    for label in range(images.num_classes):
        places = np.flatnonzero(images.labels == label)
        count = min(len(places), max(1, round(share * len(places))))
        order.append(rng.permutation(places)[:count])
    order = np.sort(np.concatenate(order))
    is_source = isinstance(images.images, ImageSource)
    part = SourcePart(images.images, order) if is_source else images.images[order]
    return dataclasses.replace(images, images=part, labels=images.labels[order])
