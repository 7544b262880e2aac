"""Instances of every public class, with no argument at its default value."""

import importlib

import keras

from keras_mixvit import backbones
from tests.contract.public import CLASSES
from tests.helpers import unallocated

# Each package has its own, in `tests/PACKAGE/arguments.py`.
WITH_CLASSES = (
    "augmentation",
    "backbones",
    "convert",
    "costs",
    "data",
    "distribution",
    "evaluation",
    "layers",
    "masks",
    "metrics",
    "models",
    "optimizers",
    "prediction",
    "recipes",
    "schedules",
    "training",
)
ARGUMENTS = {}
for package in WITH_CLASSES:
    ARGUMENTS |= importlib.import_module(f"tests.{package}.arguments").ARGUMENTS


def make(name):
    """An instance with no argument at its default value."""
    arguments = ARGUMENTS[name]()
    if issubclass(CLASSES[name], keras.layers.Layer):
        arguments = {"name": "given", "dtype": "mixed_bfloat16", **arguments}
    return created(name, lambda: CLASSES[name](**arguments))


def created(name, function):
    """What a function makes; a config needs no values of a backbone's weights."""
    is_backbone = issubclass(CLASSES[name], backbones.Backbone)
    return unallocated(function) if is_backbone else function()
