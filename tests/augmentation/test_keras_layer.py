"""Layers of Keras as augmentations of a data set."""

import random
import re

import keras
import numpy as np
import pytest

from keras_mixvit.augmentation import Augment, HorizontalFlip, KerasLayer
from tests.augmentation.pictures import pictures


def rng(seed=0):
    return np.random.default_rng(seed)


class Shifted(keras.layers.Layer):
    """Chooses by Python's generator, as the AugMix of Keras does."""

    def call(self, images):
        return images + random.randint(1, 100)


@pytest.mark.parametrize("make", [lambda: keras.layers.RandomRotation(1), Shifted])
def test_equal_seeds_give_equal_images(make):
    layer = make()
    augment, images = (
        Augment([HorizontalFlip(), KerasLayer(layer)]),
        pictures(3, side=8),
    )
    state = random.getstate()
    first = augment(rng(), images)
    # What others draw in between changes nothing, and nothing is changed for them.
    assert random.getstate() == state
    random.random()
    layer(images.astype("float32"), training=True)
    np.testing.assert_array_equal(augment(rng(), images), first)
    assert (augment(rng(1), images) != first).any()
    assert first.dtype == np.uint8


def test_results_are_rounded_and_cut():
    class Brighter(keras.layers.Layer):
        def call(self, images):
            return images * 1.5 - 20.4

    images = np.array([0, 10, 100, 255], "uint8").reshape(1, 2, 2, 1)
    found = Augment([KerasLayer(Brighter())])(rng(), images)
    assert found.ravel().tolist() == [0, 0, 130, 255]


def test_a_layer_must_keep_the_shape():
    augment = Augment([KerasLayer(keras.layers.CenterCrop(4, 4))])
    message = "`layer` must keep the shape of images. Received: shape=(3, 8, 8, 3)"
    with pytest.raises(ValueError, match=re.escape(message)):
        augment(rng(), pictures(3, side=8))


def test_only_layers_are_taken():
    with pytest.raises(
        ValueError, match=r"`layer` must be a layer\. Received: layer=1"
    ):
        KerasLayer(1)
