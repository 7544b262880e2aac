"""Samplers of mixing masks, and the loss weights that follow from them."""

from keras_mixvit.masks._binary import BinaryMasks
from keras_mixvit.masks._binary_or_linear import BinaryOrLinear
from keras_mixvit.masks._box import box_coverage, patch_majority
from keras_mixvit.masks._concatenation import ConcatenationMasks
from keras_mixvit.masks._constant import ConstantMasks
from keras_mixvit.masks._cowmask import CowMasks
from keras_mixvit.masks._cutmix import CutMixMasks
from keras_mixvit.masks._fmix import FMixMasks
from keras_mixvit.masks._linear import LinearMasks
from keras_mixvit.masks._loss_weighting import loss_weighting
from keras_mixvit.masks._mask_sampler import MaskSampler
from keras_mixvit.masks._patch_cutmix import PatchCutMix
from keras_mixvit.masks._patchup import PatchUpMasks

__all__ = [
    "BinaryMasks",
    "BinaryOrLinear",
    "ConcatenationMasks",
    "ConstantMasks",
    "CowMasks",
    "CutMixMasks",
    "FMixMasks",
    "LinearMasks",
    "MaskSampler",
    "PatchCutMix",
    "PatchUpMasks",
    "box_coverage",
    "loss_weighting",
    "patch_majority",
]
