"""Keras metrics, and functions of whole sets of predictions, in float64."""

from keras_mixvit.metrics.accuracy import TopKAccuracy, accuracy
from keras_mixvit.metrics.auroc import auroc
from keras_mixvit.metrics.brier import Brier, brier
from keras_mixvit.metrics.calibrated_nll import calibrated_nll
from keras_mixvit.metrics.calibration_error import ECE, calibration_error
from keras_mixvit.metrics.disagreement import Disagreement, disagreement
from keras_mixvit.metrics.nll import NLL, nll
from keras_mixvit.metrics.pairwise_kl import PairwiseKL, pairwise_kl
from keras_mixvit.metrics.ratio_error import RatioError, ratio_error
from keras_mixvit.metrics.subnetwork_accuracy import SubnetworkAccuracy
from keras_mixvit.metrics.subnetwork_nll import SubnetworkNLL
from keras_mixvit.metrics.temperature import fit_temperature

__all__ = [
    "ECE",
    "NLL",
    "Brier",
    "Disagreement",
    "PairwiseKL",
    "RatioError",
    "SubnetworkAccuracy",
    "SubnetworkNLL",
    "TopKAccuracy",
    "accuracy",
    "auroc",
    "brier",
    "calibrated_nll",
    "calibration_error",
    "disagreement",
    "fit_temperature",
    "nll",
    "pairwise_kl",
    "ratio_error",
]
