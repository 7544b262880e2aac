"""Figures of trainings, each with the numbers behind it."""

from keras_mixvit.analysis.mixed_samples import mixed_samples
from keras_mixvit.analysis.training_curves import training_curves

__all__ = ["mixed_samples", "training_curves"]
