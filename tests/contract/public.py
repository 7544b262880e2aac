"""The public names of every package, and what the tests of this folder ask of them."""

import importlib
import inspect
import pkgutil
from pathlib import Path

import keras

import keras_mixvit
from keras_mixvit import (
    analysis,
    augmentation,
    backbones,
    convert,
    costs,
    data,
    distribution,
    evaluation,
    layers,
    masks,
    metrics,
    models,
    optimizers,
    prediction,
    recipes,
    report,
    schedules,
    training,
)

BACKEND = keras.config.backend()
PACKAGES = (
    augmentation,
    layers,
    backbones,
    convert,
    models,
    metrics,
    masks,
    data,
    distribution,
    evaluation,
    schedules,
    optimizers,
    recipes,
    training,
    prediction,
    report,
    analysis,
    costs,
)
PUBLIC = {
    name: getattr(package, name) for package in PACKAGES for name in package.__all__
}
# By their own names: `mixed_pair_dataset` is a short name of a class.
CLASSES = {
    name: item
    for name, item in PUBLIC.items()
    if inspect.isclass(item) and item.__name__ == name
}
# Classes to derive from, whose constructor the derived classes call.
BASES = {
    "Augmentation",
    "Backbone",
    "BinaryMasks",
    "ImageSource",
    "MIMOModel",
    "MaskSampler",
}
SERIALISABLE = sorted(
    name
    for name, item in CLASSES.items()
    if hasattr(item, "get_config")
    and name not in BASES
    # Keras's own class is what it is saved as.
    and name != "SynchronizedBatchNormalization"
)
# Modules that import a backend, which need not be installed.
OF_BACKENDS = {"_jax": "jax", "_tensorflow": "tensorflow", "_torch": "torch"}
SOURCES = sorted(Path(keras_mixvit.__file__).parent.rglob("*.py"))
MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(keras_mixvit.__path__, "keras_mixvit.")
    if OF_BACKENDS.get(found.name.split(".")[-1], BACKEND) == BACKEND
]


def parameters(function):
    """Parameters by name, without `self`, `*args` and `**kwargs`."""
    several = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return {
        name: parameter
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in ("self", "cls") and parameter.kind not in several
    }


def own_parameters(cls):
    """Parameters of the constructor, as far as the package writes it."""
    writer = next(base for base in cls.__mro__ if "__init__" in vars(base))
    own = writer.__module__.startswith("keras_mixvit")
    return parameters(cls.__init__) if own else {}
