"""Costs of networks; figures of trainings, each with the numbers behind it."""

from keras_mixvit.analysis.flop_report import FlopReport
from keras_mixvit.analysis.flops import flops
from keras_mixvit.analysis.mixed_samples import mixed_samples
from keras_mixvit.analysis.training_curves import training_curves

__all__ = ["FlopReport", "flops", "mixed_samples", "training_curves"]
