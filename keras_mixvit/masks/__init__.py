"""Samplers of mixing masks, in NumPy."""

from keras_mixvit.masks.box import box_coverage, patch_majority
from keras_mixvit.masks.constant import ConstantMasks
from keras_mixvit.masks.mask_sampler import MaskSampler
from keras_mixvit.masks.patch_cutmix import PatchCutMix

__all__ = [
    "ConstantMasks",
    "MaskSampler",
    "PatchCutMix",
    "box_coverage",
    "patch_majority",
]
