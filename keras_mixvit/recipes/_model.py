"""Builds the backbone and the model of a recipe."""

from typing import Any

import keras

from keras_mixvit._checks import require
from keras_mixvit.backbones import make_backbone
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.models import MIMOModel
from keras_mixvit.recipes._constructors import (
    BACKBONE_CLASSES,
    BACKBONES,
    FREE,
    METHODS,
    SMALL,
)
from keras_mixvit.recipes._option_names import named_as, of_part
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._values import parameters

POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def backbone_for(recipe: Recipe, images: ImageSet) -> Backbone:
    """The backbone of a recipe, for a set of images.

    Args:
        recipe: `Recipe`.
        images: `ImageSet`, whose statistics normalise the images, unless a preset
            brings its own.

    Returns:
        A `Backbone`.

    Example:

    ```python
    recipe = Recipe(backbone="wide_resnet", method="cut_mixmo")
    assert backbone_for(recipe, load("digits")).depth == 10
    ```
    """
    name, image_shape = recipe.backbone.name, images.images.shape[1:]
    if recipe.preset:
        return model_of_preset(recipe, images).backbone
    constructor = BACKBONES[name]
    names = of_part("backbone", constructor.parameters())
    mean, std = images.statistics()
    options = {
        **{k: v for k, v in constructor.defaults.items() if v is not None},
        **recipe.backbone.options,
        "image_shape": image_shape,
        "mean": mean,
        "std": std,
        "dtype": POLICIES[recipe.precision],
    }
    if recipe.is_residual:
        options["widening"] = max(1, round(options["widening"] * recipe.width_scale))
        options.setdefault("l2", 3e-4 if recipe.optimizer_name == "sgd" else 0.0)
        with named_as(names):
            return constructor.build(**options)
    options.setdefault("patch_size", default_patch_size(image_shape))
    options |= {**transformer_size(recipe), "seed": recipe.seed}
    with named_as(names):
        if name in FREE:
            return constructor.build(**options)
        return make_backbone(name, **options)


def default_patch_size(image_shape: tuple[int, ...]) -> int:
    """An eighth of the image, between 2 and 16 pixels.

    Args:
        image_shape: Tuple of integers (H, W, C).
    """
    return min(16, max(2, min(image_shape[:2]) // 8))


def transformer_size(recipe: Recipe) -> dict[str, int]:
    """The scaled width, heads and blocks of a transformer.

    Args:
        recipe: `Recipe`.
    """
    constructor = BACKBONES[recipe.backbone.name]
    known = parameters(constructor.build)
    size = {name: known[name][1] for name in SMALL}
    for given in (constructor.defaults, recipe.backbone.options):
        size |= {name: given[name] for name in SMALL if name in given}
    if recipe.width_scale != 1:
        heads = size["num_heads"]
        per_head = max(1, round(size["width"] / heads * recipe.width_scale))
        size["width"] = heads * per_head
    return size


def model_for(recipe: Recipe, images: ImageSet) -> MIMOModel:
    """The model of a recipe, to compile and train; one member if it is an ensemble.

    Args:
        recipe: `Recipe`.
        images: `ImageSet` to train on.

    Returns:
        A `MIMOModel`, not compiled.

    Example:

    ```python
    recipe = Recipe(backbone={"name": "convit", "width": 16, "num_blocks": 1})
    assert model_for(recipe, load("digits")).num_subnetworks == 2
    ```
    """
    keras.utils.set_random_seed(recipe.seed)
    if recipe.preset:
        return model_of_preset(recipe, images)
    return model_on(recipe, backbone_for(recipe, images), images.num_classes)


def model_on(recipe: Recipe, backbone: Backbone, num_classes: int) -> MIMOModel:
    """The model of a recipe on your own backbone.

    Args:
        recipe: `Recipe`.
        backbone: `Backbone` whose layers the model uses.
        num_classes: Integer K.

    Returns:
        A `MIMOModel`, not compiled.
    """
    constructor = METHODS[recipe.method.name]
    with named_as(of_part("method", constructor.parameters())):
        return constructor.build(backbone, num_classes, **_model_options(recipe))


def model_of_preset(recipe: Recipe, images: ImageSet) -> MIMOModel:
    """The model of a recipe that starts from the weights of a preset.

    Args:
        recipe: `Recipe` with a preset.
        images: `ImageSet` to train on.

    Returns:
        A `MIMOModel`, not compiled, with new heads.

    Raises:
        ValueError: If the preset has another backbone than the recipe, or does not
            fit the images.
    """
    constructor = METHODS[recipe.method.name]
    method: Any = constructor.build
    name, policy = recipe.backbone.name, POLICIES[recipe.precision]
    require(
        recipe.width_scale == 1,
        "`width_scale` must not be set with a preset, which has its own width.",
        width_scale=recipe.width_scale,
    )
    height, width, channels = images.images.shape[1:]
    options = {**recipe.backbone.options, "dtype": policy}
    if not recipe.is_residual:
        options["seed"] = recipe.seed
    with named_as(of_part("method", constructor.parameters())):
        model = method.from_preset(
            recipe.preset,
            num_classes=images.num_classes,
            image_size=(height, width),
            backbone_options=options,
            **{**_model_options(recipe), "dtype": policy},
        )
    wanted, found = BACKBONE_CLASSES[name], model.backbone
    require(
        type(found) is wanted,
        "`backbone` must be that of the preset.",
        backbone=name,
        preset=type(found).__name__,
    )
    require(
        found.image_shape[2] == channels,
        f"`preset` must take images of {channels} channels, as the data have.",
        preset=recipe.preset,
        channels=found.image_shape[2],
    )
    if recipe.schedule.frozen_blocks:
        with named_as({"count": "schedule.frozen_blocks"}):
            model.freeze_blocks(recipe.schedule.frozen_blocks)
    return model


def _model_options(recipe):
    method = recipe.method.name
    options: dict[str, Any] = {"name": method, **recipe.method.options}
    if method == "single":
        del options["name"]
        if recipe.pixel_mixing.name in ("cutmix", "mixup"):
            options["name"] = recipe.pixel_mixing.name
    if recipe.has_subnetworks:
        options["ensemble_of"] = recipe.ensemble_of
    if method == "mixvit":
        options["seed"] = recipe.seed
    if method == "mimo":
        options["r"] = 1.0
    return options
