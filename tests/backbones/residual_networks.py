"""The residual networks that several tests are about."""

import functools
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit import MixMo, SingleNetwork
from keras_mixvit.backbones import PreActResNet, ResNet, WideResNet
from keras_mixvit.convert._mixmo import load_mixmo_weights
from tests.backbones.residual_cases import (
    CASES,
    NUM_CLASSES,
    drawn_weights,
)
from tests.helpers import numpy

NETWORKS = {
    "wide": lambda shape, **options: WideResNet(
        shape, **{"depth": 10, "widening": 1, **options}
    ),
    "preact": PreActResNet,
    "resnet": ResNet,
}
EVERY_NETWORK = pytest.mark.parametrize("network", NETWORKS)
SMALL = (8, 8, 3)


def unallocated(function):
    """Result of a function whose variables get shapes and no values."""

    def scoped():
        with keras.StatelessScope(initialize_variables=False):
            return function()

    # Keras would give them values after all, at the end of any later scope of
    # the same thread: gigabytes, and minutes.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(scoped).result()


@functools.cache
def shaped(network, widening=1, **options):
    """A network of the published size; its weights have shapes alone."""
    classes = {"wide": WideResNet, "preact": PreActResNet, "resnet": ResNet}
    return unallocated(lambda: classes[network](widening=widening, **options))


def classifier(backbone, classes, members):
    if members == 1:
        return SingleNetwork(backbone, classes)
    return MixMo(backbone, classes, members)


@functools.cache
def stored(name):
    """What is stored of a case, by its name without that of the case."""
    with np.load(Path(__file__).parent / "residual_outputs.npz") as file:
        keys = [key for key in file.files if key.startswith(f"{name}/")]
        return {key.removeprefix(f"{name}/"): file[key] for key in keys}


def weights(name):
    shapes = json.loads(str(stored(name)["shapes"]))
    return drawn_weights({key: tuple(shape) for key, shape in shapes.items()})


def torchvision_variables(model):
    """Variables of a ResNet by the names of torchvision, with their heads."""
    found = {"conv1.weight": model.stem.layers[-1].kernel}

    def add(name, norm):
        found[f"{name}.weight"], found[f"{name}.bias"] = norm.gamma, norm.beta
        found[f"{name}.running_mean"] = norm.moving_mean
        found[f"{name}.running_var"] = norm.moving_variance

    add("bn1", model.body.get_layer("norm"))
    for i in range(4):
        for j in range(2):
            block, name = model.body.get_layer(f"group_{i}_block_{j}"), f"layer{i + 1}"
            for k in range(2):
                found[f"{name}.{j}.conv{k + 1}.weight"] = block.convolutions[k].kernel
                add(f"{name}.{j}.bn{k + 1}", block.norms[k])
            if block.shortcut is not None:
                found[f"{name}.{j}.downsample.0.weight"] = block.shortcut.kernel
                add(f"{name}.{j}.downsample.1", block.shortcut_norm)
    found["fc.weight"], found["fc.bias"] = model.heads.kernel, model.heads.bias
    return found


@functools.cache
def loaded_network(name):
    """Our network of a case with the drawn weights."""
    case = CASES[name]
    backbone = NETWORKS[case.network](case.image_shape)
    model = classifier(backbone, NUM_CLASSES, case.members)
    if case.network != "resnet":
        load_mixmo_weights(model, weights(name))
        return model
    variables = torchvision_variables(model)
    assert set(variables) == set(weights(name))
    for key, array in weights(name).items():
        axes = {4: (2, 3, 1, 0), 2: (1, 0), 1: (0,)}[array.ndim]
        array = array.transpose(axes)
        variables[key].assign(array[None] if key.startswith("fc.") else array)
    return model


def kernels(backbone):
    """All kernels by the paths of their layers, and the batch norms."""
    layers = [
        layer
        for stage in (backbone.stem, backbone.body, backbone.trunk)
        for layer in stage._flatten_layers()
    ]
    convolutions = [n for n in layers if isinstance(n, keras.layers.Conv2D)]
    norms = [n for n in layers if isinstance(n, keras.layers.BatchNormalization)]
    return {n.path: numpy(n.kernel) for n in convolutions}, norms


def tiny(**options):
    return NETWORKS["wide"](SMALL, **options)
