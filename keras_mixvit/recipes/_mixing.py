"""The masks and options with which each method mixes the inputs of a sample."""

import functools
from collections.abc import Callable
from typing import Any, Literal

from keras_mixvit._checks import require_choice
from keras_mixvit.data import ManifoldMixing
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConcatenationMasks,
    CowMasks,
    FMixMasks,
    LinearMasks,
    MaskSampler,
    PatchCutMix,
    PatchUpMasks,
)
from keras_mixvit.models import ManifoldMixUp, MIMOModel, MixMo, MixViT, SingleNetwork
from keras_mixvit.recipes._option_names import named_as, of_part
from keras_mixvit.recipes._part import Part
from keras_mixvit.recipes._values import parameters

# Masks that `MixMo.mask_sampler` does not make.
OTHER: dict[str, Callable[..., MaskSampler]] = {
    "patch_cutmix": lambda size, number, alpha, several: PatchCutMix(
        size, number, alpha, single_source_ramp=False
    ),
    "horizontal_concatenation": functools.partial(
        ConcatenationMasks, direction="horizontal"
    ),
    "vertical_concatenation": functools.partial(
        ConcatenationMasks, direction="vertical"
    ),
    "patchup": PatchUpMasks,
    "fmix": FMixMasks,
    "cowmask": lambda size, number, alpha, several: CowMasks(size),
}


def _mixvit(model: MixViT, alpha: float = 0.5, owner_per: str = "batch") -> MaskSampler:
    return model.mask_sampler(alpha, owner_per)


def _mimo(model: MixMo) -> MaskSampler:
    return model.mask_sampler("mimo")


def _linear_mixmo(model: MixMo, alpha: float = 2.0) -> MaskSampler:
    return model.mask_sampler("linear_mixmo", alpha)


def _cut_mixmo(
    model: MixMo,
    masks: str = "cutmix",
    alpha: float = 2.0,
    probability: float = 0.5,
    always_binary: bool = False,
    several: Literal["dirichlet", "two"] = "dirichlet",
) -> MaskSampler:
    require_choice("mixing.masks", masks, ("cutmix", *OTHER))
    sampler: Any = model.mask_sampler("cut_mixmo", alpha, probability, several)
    if masks in OTHER:
        size, number = model.backbone.patch_size, model.num_subnetworks
        binary = OTHER[masks](size, number, alpha, several)
        linear = LinearMasks(binary.patch_size, number, alpha)
        sampler = BinaryOrLinear(binary, linear, probability)
    return sampler.binary if always_binary else sampler


def _single(model: SingleNetwork) -> MaskSampler:
    return model.mask_sampler()


def _manifold_mixup(model: ManifoldMixUp, alpha: float = 2.0) -> MaskSampler:
    return model.mask_sampler()


# Each function takes the model and the options of a recipe's `mixing`.
MIXINGS: dict[str, Callable[..., MaskSampler]] = {
    "mixvit": _mixvit,
    "mimo": _mimo,
    "linear_mixmo": _linear_mixmo,
    "cut_mixmo": _cut_mixmo,
    "single": _single,
    "manifold_mixup": _manifold_mixup,
}


def masks_for(method: str, mixing: Part, model: MIMOModel) -> MaskSampler:
    """The mask sampler of a method.

    Args:
        method: String, the name of the method.
        mixing: `Part` of a recipe.
        model: Model that `model_for` returned.
    """
    make = MIXINGS[method]
    with named_as(of_part("mixing", parameters(make))):
        return make(model, **mixing.options)


def manifold_mixing_for(method: Part, mixing: Part) -> ManifoldMixing | None:
    """The `ManifoldMixing` of a method, or `None`.

    Args:
        method: `Part` of a recipe.
        mixing: `Part` of a recipe.
    """
    if method.name != "manifold_mixup":
        return None
    names = of_part("method", method.options) | of_part("mixing", mixing.options)
    with named_as(names):
        return ManifoldMixing(**method.options, **mixing.options)
