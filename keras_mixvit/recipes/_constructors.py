"""The constructors behind the parts of a recipe, by name.

Their signatures are the only lists of the options of a recipe, and of their choices.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import keras

from keras_mixvit._checks import require
from keras_mixvit.backbones import (
    CaiT,
    ConViT,
    PreActResNet,
    ResNet,
    ViT,
    WideResNet,
)
from keras_mixvit.backbones._named import NAMED
from keras_mixvit.data import MixedPairDataset, PixelMixing
from keras_mixvit.data._pixel_mixing import KINDS
from keras_mixvit.models import ManifoldMixUp, MixMo, MixViT, SingleNetwork
from keras_mixvit.recipes._augmentations import AUGMENTATIONS
from keras_mixvit.recipes._mixing import MIXINGS
from keras_mixvit.recipes._values import checked, dotted, parameters


@dataclass(frozen=True)
class Constructor:
    """A constructor, and the arguments of it that a recipe sets.

    Args:
        build: A class or function.
        defaults: Dict of a recipe's own defaults, which replace those of the signature.
        reserved: Names of the arguments that the recipe itself passes.
        further: A function whose arguments are options, too, or `None`. Defaults to
            `None`.
    """

    build: Callable[..., Any]
    defaults: dict[str, Any]
    reserved: tuple[str, ...]
    further: Callable[..., Any] | None = None

    def checked(self, part: str, given: dict[str, Any]) -> dict[str, Any]:
        """The options of a part that differ from their defaults, checked.

        Args:
            part: String, the part of the recipe, for errors.
            given: Dict of its options.
        """
        found = checked(part, given, self.parameters(), self.defaults)
        for name, value in found.items():
            require(
                not isinstance(value, float) or math.isfinite(value),
                f"`{dotted(part, name)}` must be finite.",
                **{dotted(part, name): value},
            )
        return found

    def parameters(self) -> dict[str, tuple[Any, Any]]:
        """The arguments that a recipe may set: annotations and defaults."""
        found = parameters(self.build)
        if self.further is not None:
            found = {**found, **parameters(self.further)}
        return {name: found[name] for name in found if name not in self.reserved}


# The arguments that a recipe passes to every backbone and to every model.
OF_BACKBONES = ("image_shape", "mean", "std", "seed", "name", "dtype")
OF_MODELS = (
    *("backbone", "num_classes", "ensemble_of", "temperature", "seed", "name"),
    "dtype",
)
# Networks without a published size are small. A patch is an eighth of the image.
SMALL = {"width": 48, "num_heads": 4, "num_blocks": 2, "num_class_blocks": 2}
SMALL_TRANSFORMER = {**SMALL, "patch_size": None}
# L2 is 3e-4 with SGD, and 0 with AdamW.
SMALL_RESIDUAL = {"widening": 1, "l2": None}
FREE = {"convit": ConViT, "cait": CaiT, "vit": ViT}
RESIDUAL = {
    "wide_resnet": (WideResNet, {"depth": 10}),
    "preact_resnet": (PreActResNet, {}),
    "resnet": (ResNet, {}),
}
BACKBONES = {
    **{
        name: Constructor(build, SMALL_TRANSFORMER, OF_BACKBONES)
        for name, build in FREE.items()
    },
    **{
        name: Constructor(build, {**options, "patch_size": None}, OF_BACKBONES)
        for name, (build, options) in NAMED.items()
    },
    **{
        name: Constructor(build, {**SMALL_RESIDUAL, **options}, OF_BACKBONES)
        for name, (build, options) in RESIDUAL.items()
    },
}
# The class of each backbone, which a preset has to have.
BACKBONE_CLASSES = {
    **FREE,
    **{name: build for name, (build, _) in (*NAMED.items(), *RESIDUAL.items())},
}
METHODS = {
    "mixvit": Constructor(MixViT, {}, OF_MODELS),
    # MIMO gives all losses the same weight.
    "mimo": Constructor(MixMo, {}, (*OF_MODELS, "r")),
    "linear_mixmo": Constructor(MixMo, {}, OF_MODELS),
    "cut_mixmo": Constructor(MixMo, {}, OF_MODELS),
    "single": Constructor(SingleNetwork, {}, OF_MODELS),
    "manifold_mixup": Constructor(ManifoldMixUp, {}, OF_MODELS),
}
# CutMix together with MixUp.
BOTH = "cutmix_and_mixup"
PIXEL_MIXINGS = ("none", *KINDS)
SINGLE = ("single", "manifold_mixup")
OPTIMIZERS = {
    "adamw": Constructor(
        keras.optimizers.AdamW,
        {"weight_decay": 0.05, "epsilon": 1e-8},
        ("learning_rate", "name"),
    ),
    "sgd": Constructor(
        keras.optimizers.SGD,
        {"momentum": 0.9, "nesterov": True, "weight_decay": 0.0},
        ("learning_rate", "name"),
    ),
}
PAIRS = Constructor(
    MixedPairDataset,
    {},
    (
        *("x", "y", "masks", "epochs", "batch_size", "seed", "num_classes"),
        *("augment", "pixel_mixing", "manifold_mixing", "drop_remainder"),
        "sample_weight",
    ),
)


def pixel_constructor(name: str) -> Constructor:
    """The constructor of the pixel mixing with this name."""
    reserved = ("kind",) if name == BOTH else ("kind", "mixup_alpha")
    return Constructor(_nothing if name == "none" else PixelMixing, {}, reserved)


def mixing_constructor(method: str) -> Constructor:
    """The constructor of the masks of a method."""
    return Constructor(MIXINGS[method], {}, ("model",))


def augmentation_constructor(name: str) -> Constructor:
    """The constructor of an augmentation, which may end with random erasing."""
    return Constructor(AUGMENTATIONS[name], {}, ("side",), _erasing)


def all_constructors(part: str) -> list[Constructor]:
    """All constructors of a part of a recipe.

    Args:
        part: String, the name of the part.
    """
    made = {
        "backbone": BACKBONES.values(),
        "method": METHODS.values(),
        "optimizer": OPTIMIZERS.values(),
        "mixing": map(mixing_constructor, MIXINGS),
        "augmentation": map(augmentation_constructor, AUGMENTATIONS),
        "pixel_mixing": map(pixel_constructor, PIXEL_MIXINGS),
        "pairs": [PAIRS],
    }
    return list(made[part])


def _erasing(random_erasing: float = 0.0):
    return random_erasing


def _nothing():
    return None
