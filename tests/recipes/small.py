"""Recipes of small networks, on few small images."""

import numpy as np

from keras_mixvit.data import ImageSet
from keras_mixvit.recipes import (
    Recipe,
    dataset_for,
    model_for,
)

SMALL = {
    "backbone.patch_size": 4,
    "backbone.width": 8,
    "backbone.num_heads": 2,
    "backbone.num_blocks": 1,
    "backbone.num_class_blocks": 1,
}


IMAGES = ImageSet(
    np.random.default_rng(0).normal(2, 3, (16, 8, 8, 1)).astype("float32"),
    np.arange(16) % 3,
    ("ant", "bee", "cat"),
)


def dotted(changes):
    """Options of a recipe, from words such as `mixing__alpha`."""
    return {name.replace("__", "."): value for name, value in changes.items()}


def recipe_of(method="mixvit", backbone="convit", **changes):
    small = SMALL if backbone in ("convit", "cait") else {}
    start = Recipe(method="single", batch_size=8, epochs=2)
    names = {"backbone": backbone, "method": method}
    if method in ("cutmix", "mixup"):
        names |= {"method": "single", "pixel_mixing": method}
    return start.with_settings({**names, **small, **dotted(changes)})


def made(*names, **changes):
    """Model and data set of a method on a backbone."""
    recipe = recipe_of(*names, **changes)
    model = model_for(recipe, IMAGES)
    return model, dataset_for(recipe, model, IMAGES)
