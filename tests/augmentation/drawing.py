"""Generators, and images of noise."""

import numpy as np

SHAPE = (32, 32, 3)


def rng(seed=0):
    return np.random.default_rng(seed)


def noise(count=16, shape=(12, 10, 3), seed=0):
    return rng(seed).integers(256, size=(count, *shape)).astype("uint8")
