"""Keras metrics, and functions of whole sets of predictions, in float64."""

from keras_mixvit.metrics._accuracy import TopKAccuracy, accuracy
from keras_mixvit.metrics._auroc import auroc
from keras_mixvit.metrics._brier import Brier, brier
from keras_mixvit.metrics._calibrated_nll import calibrated_nll
from keras_mixvit.metrics._calibration_error import ECE, calibration_error
from keras_mixvit.metrics._disagreement import Disagreement, disagreement
from keras_mixvit.metrics._nll import NLL, nll
from keras_mixvit.metrics._pairwise_kl import PairwiseKL, pairwise_kl
from keras_mixvit.metrics._ratio_error import RatioError, ratio_error
from keras_mixvit.metrics._subnetwork_accuracy import SubnetworkAccuracy
from keras_mixvit.metrics._subnetwork_nll import SubnetworkNLL
from keras_mixvit.metrics._temperature import fit_temperature

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
