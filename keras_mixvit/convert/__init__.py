"""Weights of timm, of keras-hub's ViT and of the published MixMo, and presets."""

from keras_mixvit.convert._conversion import Conversion
from keras_mixvit.convert._hub import fetch
from keras_mixvit.convert._keras_hub import keras_hub_backbone
from keras_mixvit.convert._mixmo import load_mixmo_weights, mixmo_weights
from keras_mixvit.convert._preset import Preset, read_preset
from keras_mixvit.convert._pretrained import Pretrained, pretrained_backbone
from keras_mixvit.convert._read_weights import read_weights
from keras_mixvit.convert._timm import load_timm_weights, timm_weights

__all__ = [
    "Conversion",
    "Preset",
    "Pretrained",
    "fetch",
    "keras_hub_backbone",
    "load_mixmo_weights",
    "load_timm_weights",
    "mixmo_weights",
    "pretrained_backbone",
    "read_preset",
    "read_weights",
    "timm_weights",
]
