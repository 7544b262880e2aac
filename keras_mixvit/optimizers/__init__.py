"""Optimizers that train the layers of a pretrained network at different rates."""

from keras_mixvit.optimizers._layerwise import LayerwiseAdamW, LayerwiseSGD

__all__ = ["LayerwiseAdamW", "LayerwiseSGD"]
