"""Samplers of mixing masks, and what follows from the shares of a mask."""

from keras_mixvit.masks.binary import BinaryMasks
from keras_mixvit.masks.binary_or_linear import BinaryOrLinear
from keras_mixvit.masks.box import box_coverage, patch_majority
from keras_mixvit.masks.concatenation import ConcatenationMasks
from keras_mixvit.masks.constant import ConstantMasks
from keras_mixvit.masks.cowmask import CowMasks
from keras_mixvit.masks.cutmix import CutMixMasks
from keras_mixvit.masks.fmix import FMixMasks
from keras_mixvit.masks.linear import LinearMasks
from keras_mixvit.masks.loss_weighting import loss_weighting
from keras_mixvit.masks.mask_sampler import MaskSampler
from keras_mixvit.masks.patch_cutmix import PatchCutMix
from keras_mixvit.masks.patchup import PatchUpMasks

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
