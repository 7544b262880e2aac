"""Backbones: networks with a stem, a body and a trunk."""

from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._cait import CaiT
from keras_mixvit.backbones._convit import ConViT
from keras_mixvit.backbones._keras_backbone import KerasBackbone
from keras_mixvit.backbones._named import backbone_names, make_backbone
from keras_mixvit.backbones._preact_resnet import PreActResNet
from keras_mixvit.backbones._resnet import ResNet
from keras_mixvit.backbones._vit import ViT
from keras_mixvit.backbones._wide_resnet import WideResNet

__all__ = [
    "Backbone",
    "CaiT",
    "ConViT",
    "KerasBackbone",
    "PreActResNet",
    "ResNet",
    "ViT",
    "WideResNet",
    "backbone_names",
    "make_backbone",
]
