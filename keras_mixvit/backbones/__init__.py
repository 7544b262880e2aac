"""Backbones: networks of a stem, a body and a trunk."""

from keras_mixvit.backbones.backbone import Backbone
from keras_mixvit.backbones.cait import CaiT
from keras_mixvit.backbones.convit import ConViT
from keras_mixvit.backbones.named import backbone_names, make_backbone

__all__ = ["Backbone", "CaiT", "ConViT", "backbone_names", "make_backbone"]
