"""Small networks of the published MixMo code."""

import functools

import numpy as np

from keras_mixvit import MixMo, SingleNetwork
from keras_mixvit.backbones import WideResNet
from keras_mixvit.convert._mixmo import mixmo_weights

SHAPE = (8, 8, 3)
CLASSES = 4


def network(members=1, widening=1, depth=10, **options):
    backbone = WideResNet(SHAPE, depth, widening, **options)
    if members == 1:
        return SingleNetwork(backbone, CLASSES)
    return MixMo(backbone, CLASSES, members)


@functools.cache
def shared(members=1):
    """A network whose weights a test may change and must not rely on."""
    return network(members)


def redrawn(model, seed=0):
    """Published weights of a model, other than those that it has."""
    rng = np.random.default_rng(seed)
    return {
        name: rng.standard_normal(array.shape).astype("float32")
        for name, array in mixmo_weights(model).items()
    }


def assert_same(found, expected):
    assert set(found) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
