"""Every cell of the table of methods and backbones: one step, or a useful error."""

import dataclasses
import functools
import re

import keras
import numpy as np
import pytest

import keras_mixvit
from keras_mixvit import KerasBackbone, ManifoldMixUp, MixMo, MixViT, backbones
from keras_mixvit.backbones import _preact_resnet, _resnet
from keras_mixvit.data import ManifoldMixing, mixed_pair_dataset
from keras_mixvit.recipes import (
    Recipe,
    _constructors,
    dataset_for,
    loss_for,
    model_for,
)
from tests.helpers import EAGERLY, LOSS, unallocated
from tests.recipes.combinations import (
    BACKBONES,
    KEPT,
    METHODS,
    NO_RECIPE,
    NO_TRANSFORMER,
    OWN,
    SHRINKS,
    SHRUNK,
    TWO,
    TWO_LAYERS,
    cell,
    shrinks,
)
from tests.recipes.small import IMAGES, recipe_of

TRANSFORMER = {
    "backbone__patch_size": 4,
    "backbone__width": 8,
    "backbone__num_heads": 2,
    "backbone__num_blocks": 2,
    "backbone__num_class_blocks": 1,
}
EVERY_METHOD = pytest.mark.parametrize("method", METHODS)
EVERY_SHRUNK = pytest.mark.parametrize(
    "backbone", [name for name in BACKBONES if shrinks(name)]
)


def recipe_for(method, backbone):
    small = {} if shrinks(backbone) else TRANSFORMER
    return recipe_of(method, backbone, epochs=1, **small)


@functools.cache
def mobile_net():
    """The first layers of a MobileNet of Keras, with 16 x 16 and 8 x 8 positions."""
    net = keras.applications.MobileNet(
        alpha=0.25, weights=None, include_top=False, input_shape=(32, 32, 1)
    )
    return keras.Model(net.input, net.get_layer("conv_pw_2_relu").output)


def keras_backbone(name):
    last = {KEPT: "conv_pw_1_relu", SHRUNK: "conv_pw_2_relu"}[name]
    return KerasBackbone(mobile_net(), "conv1_relu", features=last)


def own_model(method, backbone):
    """A model on a backbone that no recipe can name, and its data."""
    options = {"num_layers": 2} if cell(method, backbone) == TWO else {}
    options |= {"r": 1.0} if method == "mimo" else {}
    made = keras_backbone(backbone)
    model = getattr(keras_mixvit, METHODS[method])(made, 3, **options)
    words = (method,) if type(model) is MixMo else ()
    is_manifold = method == "manifold_mixup"
    return model, mixed_pair_dataset(
        np.random.default_rng(0).random((8, 32, 32, 1)).astype("float32"),
        np.arange(8) % 3,
        model.mask_sampler(*words),
        epochs=1,
        batch_size=8,
        num_classes=3 if is_manifold else None,
        manifold_mixing=ManifoldMixing(2) if is_manifold else None,
    )


def trains(model, pairs, loss):
    """One step on mixed data, and a prediction of two images."""
    before = model.get_weights()
    model.compile(keras.optimizers.SGD(0.1), loss, **EAGERLY)
    history = model.fit(pairs, verbose=0).history
    assert np.isfinite(history["loss"]).all()
    changed = [
        np.any(one != other)
        for one, other in zip(before, model.get_weights(), strict=True)
    ]
    assert any(changed)
    found = model.predict(np.asarray(pairs.x[:2]), verbose=0)
    assert found.shape == (2, 3)
    assert np.isfinite(found).all()


def cells(names):
    """All cells that train; on one backend, except one of each row and each column."""
    for row, backbone in enumerate(names):
        for column, method in enumerate(METHODS):
            if cell(method, backbone) != "no":
                marks = () if row == column else pytest.mark.one_backend
                yield pytest.param(method, backbone, marks=marks)


# Networks of 18 layers.
DEEP = {
    "preact_resnet": (_preact_resnet, "PreActivationBlock"),
    "resnet": (_resnet, "BasicBlock"),
}


def make_thin(monkeypatch, backbone):
    """Gives a network of 18 layers a sixteenth of its width."""
    if backbone in DEEP:
        module, block = DEEP[backbone]
        make = getattr(module, block)

        def thin(width, *args, **options):
            return make(width // 16, *args, **options)

        monkeypatch.setattr(module, block, thin)


@pytest.mark.parametrize(("method", "backbone"), cells(BACKBONES))
def test_a_recipe_trains_its_model_on_its_backbone(method, backbone, monkeypatch):
    make_thin(monkeypatch, backbone)
    recipe = recipe_for(method, backbone)
    model = model_for(recipe, IMAGES)
    assert type(model).__name__ == METHODS[method]
    assert type(model.backbone).__name__ == BACKBONES[backbone]
    few = dataclasses.replace(
        IMAGES, images=IMAGES.images[:8], labels=IMAGES.labels[:8]
    )
    trains(model, dataset_for(recipe, model, few), loss_for(recipe))


@pytest.mark.parametrize(("method", "backbone"), cells(OWN))
def test_a_model_trains_on_a_model_of_keras(method, backbone):
    model, pairs = own_model(method, backbone)
    loss = loss_for(Recipe()) if method == "manifold_mixup" else LOSS
    trains(model, pairs, loss)


@EVERY_SHRUNK
def test_a_recipe_of_mixvit_on_a_residual_network_names_other_methods(backbone):
    with pytest.raises(ValueError, match=re.escape(NO_TRANSFORMER)):
        Recipe(method="mixvit", backbone=backbone)


@pytest.mark.parametrize(
    "make",
    [
        lambda: keras_backbone(SHRUNK),
        *(
            functools.partial(getattr(backbones, name), (16, 16, 1))
            for name in map(BACKBONES.get, filter(shrinks, BACKBONES))
        ),
    ],
)
def test_mixvit_on_a_network_that_shrinks_its_grid_names_other_models(make):
    backbone = unallocated(make)
    with pytest.raises(ValueError, match=re.escape(SHRINKS)):
        unallocated(lambda: MixViT(backbone, 3))


@pytest.mark.parametrize("backbone", OWN)
def test_manifold_mixup_on_a_model_of_keras_says_how_many_layers_it_can_mix(backbone):
    with pytest.raises(ValueError, match=re.escape(TWO_LAYERS)):
        ManifoldMixUp(keras_backbone(backbone), 3)


@pytest.mark.parametrize("name", ["keras_backbone", "resnet50", "vgg"])
@EVERY_METHOD
def test_a_recipe_with_a_backbone_of_yours_names_the_classes(name, method):
    with pytest.raises(ValueError, match=re.escape(NO_RECIPE)):
        Recipe(method=method, backbone=name)


def test_the_table_has_every_method_and_every_kind_of_backbone():
    assert tuple(METHODS) == tuple(_constructors.METHODS)
    for name, kind in METHODS.items():
        assert _constructors.METHODS[name].build.__name__ == kind
    kinds = {kind.__name__ for kind in _constructors.BACKBONE_CLASSES.values()}
    assert set(BACKBONES.values()) == kinds
    for name, kind in BACKBONES.items():
        assert _constructors.BACKBONE_CLASSES[name].__name__ == kind
