"""What a recipe makes: backbone and model."""

import inspect

import keras

from keras_mixvit.backbones import (
    CaiT,
    ConViT,
    PreActResNet,
    ResNet,
    WideResNet,
    make_backbone,
)
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._named import NAMED
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.models import ManifoldMixUp, MixMo, MixViT, SingleNetwork
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.recipes._recipe_checks import MIXMO

FREE = {"convit": ConViT, "cait": CaiT}
RESIDUAL = {"wideresnet": WideResNet, "preactresnet": PreActResNet, "resnet": ResNet}
# Of a transformer without a published size.
SMALL = {"width": 48, "num_heads": 4, "num_blocks": 2, "num_class_blocks": 2}
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}


def backbone_for(recipe: Recipe, images: ImageSet) -> Backbone:
    """The backbone of a recipe, for a set of images.

    Args:
        recipe: `Recipe`.
        images: `ImageSet`, whose statistics normalise the images.

    Returns:
        A `Backbone`.

    Example:

    ```python
    recipe = Recipe(backbone="wideresnet", method="cut-mixmo")
    assert backbone_for(recipe, load("digits")).depth == 10
    ```
    """
    image_shape = images.images.shape[1:]
    mean, std = images.statistics()
    shared = {"mean": mean, "std": std, "dtype": POLICIES[recipe.precision]}
    shared["recompute"] = recipe.recompute
    if recipe.is_residual:
        widening = max(1, round(recipe.widening * recipe.width_scale))
        shared |= {"widening": widening, "l2": recipe.resolved_l2}
        if recipe.backbone == "wideresnet":
            shared |= {"depth": recipe.depth, "strided_conv": recipe.strided}
        return RESIDUAL[recipe.backbone](image_shape, **shared)
    patch_size = recipe.patch_size or default_patch_size(image_shape)
    changes = {**transformer_size(recipe), **shared, "seed": recipe.seed}
    for name in ("stochastic_depth_rate", "trunk_attention"):
        if getattr(recipe, name) is not None:
            changes[name] = getattr(recipe, name)
    changes["dropout_rate"] = recipe.dropout_rate
    if recipe.backbone in FREE:
        return FREE[recipe.backbone](image_shape, patch_size, **changes)
    return make_backbone(recipe.backbone, image_shape, patch_size, **changes)


def default_patch_size(image_shape) -> int:
    """An eighth of the image, between 2 and 16 pixels.

    Args:
        image_shape: Tuple of integers (H, W, C).
    """
    return min(16, max(2, min(image_shape[:2]) // 8))


def transformer_size(recipe: Recipe) -> dict[str, int]:
    """Width, heads and blocks of a transformer, scaled.

    Args:
        recipe: `Recipe`.
    """
    if recipe.backbone in FREE:
        own = SMALL
    else:
        kind, options = NAMED[recipe.backbone]
        parameters = inspect.signature(kind).parameters
        own = {name: options.get(name, parameters[name].default) for name in SMALL}
    given = {name: getattr(recipe, name) for name in SMALL}
    size = {name: own[name] if given[name] is None else given[name] for name in SMALL}
    if recipe.width_scale != 1:
        heads = size["num_heads"]
        per_head = max(1, round(size["width"] / heads * recipe.width_scale))
        size["width"] = heads * per_head
    return size


def model_for(recipe: Recipe, images: ImageSet) -> MIMOModel:
    """The model of a recipe, one member of its ensemble.

    Args:
        recipe: `Recipe`.
        images: `ImageSet` to train on.

    Returns:
        A `MIMOModel`, not compiled.

    Example:

    ```python
    recipe = Recipe(width=16, num_blocks=1)
    assert model_for(recipe, load("digits")).num_subnetworks == 2
    ```
    """
    keras.utils.set_random_seed(recipe.seed)
    return model_on(recipe, backbone_for(recipe, images), images.num_classes)


def model_on(recipe: Recipe, backbone: Backbone, num_classes: int) -> MIMOModel:
    """The model of a recipe on a backbone that is there.

    Args:
        recipe: `Recipe`.
        backbone: `Backbone`, whose layers the model takes over.
        num_classes: Integer K.

    Returns:
        A `MIMOModel`, not compiled.
    """
    name = recipe.method.replace("-", "_")
    if recipe.method == "single":
        return SingleNetwork(backbone, num_classes)
    if recipe.method in ("cutmix", "mixup"):
        return SingleNetwork(backbone, num_classes, name=name)
    if recipe.method == "manifold-mixup":
        return ManifoldMixUp(backbone, num_classes, recipe.places, name=name)
    shared = {"ensemble_of": recipe.ensemble_of, "name": name}
    if recipe.inference is not None:
        shared["inference"] = recipe.inference
    if recipe.method in MIXMO:
        return MixMo(
            backbone,
            num_classes,
            recipe.num_subnetworks,
            1.0 if recipe.method == "mimo" else recipe.r,
            num_stems=recipe.num_stems,
            num_classifiers=recipe.num_classifiers,
            **shared,
        )
    attribution = recipe.source_attribution
    return MixViT(
        backbone,
        num_classes,
        recipe.num_subnetworks,
        source_attribution=None if attribution == "none" else attribution,
        attribution_position=recipe.attribution_position,
        input_mixing=recipe.input_mixing,
        alternation=recipe.alternation,
        seed=recipe.seed,
        **shared,
    )
