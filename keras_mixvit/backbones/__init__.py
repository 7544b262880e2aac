"""Backbones: networks of a stem, a body and a trunk."""

from keras_mixvit.backbones.backbone import Backbone
from keras_mixvit.backbones.cait import CaiT
from keras_mixvit.backbones.convit import ConViT
from keras_mixvit.backbones.named import backbone_names, make_backbone
from keras_mixvit.backbones.preact_resnet import PreActResNet
from keras_mixvit.backbones.resnet import ResNet
from keras_mixvit.backbones.wide_resnet import WideResNet

__all__ = [
    "Backbone",
    "CaiT",
    "ConViT",
    "PreActResNet",
    "ResNet",
    "WideResNet",
    "backbone_names",
    "make_backbone",
]
