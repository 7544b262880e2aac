"""Takes a share of a set of images."""

import numpy as np

from keras_mixvit.data.sources._image_part import part_of
from keras_mixvit.data.sources._image_set import ImageSet

# Not the seed of the recipe: members of an ensemble must see the same images.
SEED = 0


def share_of(images: ImageSet, share: float) -> ImageSet:
    """A random share of the images of each class, always the same, at least one image.

    Args:
        images: `ImageSet`.
        share: Float in (0, 1].

    Returns:
        An `ImageSet`, with the statistics of all images.
    """
    return images if share == 1 else part_of(images, places_of(images, share))


def places_of(images: ImageSet, share: float) -> np.ndarray:
    """The places of the images that `share_of` takes, in their order.

    Args:
        images: `ImageSet`.
        share: Float in (0, 1].
    """
    rng = np.random.default_rng(SEED)
    order = []
    for label in range(images.num_classes):
        places = np.flatnonzero(images.labels == label)
        count = min(len(places), max(1, round(share * len(places))))
        order.append(rng.permutation(places)[:count])
    return np.sort(np.concatenate(order))
