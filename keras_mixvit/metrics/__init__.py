"""Metrics for `compile`, and functions that score sets of predictions in float64."""

from keras_mixvit.metrics._accuracy import TopKAccuracy, accuracy
from keras_mixvit.metrics._aurc import aurc, excess_aurc
from keras_mixvit.metrics._auroc import auroc
from keras_mixvit.metrics._bootstrap_intervals import bootstrap_intervals
from keras_mixvit.metrics._brier import Brier, brier
from keras_mixvit.metrics._calibrated_nll import calibrated_nll
from keras_mixvit.metrics._calibration_error import ECE, calibration_error
from keras_mixvit.metrics._class_accuracy import class_accuracy
from keras_mixvit.metrics._classwise_calibration_error import (
    classwise_calibration_error,
)
from keras_mixvit.metrics._conformal_sets import ConformalSets
from keras_mixvit.metrics._confusion_matrix import confusion_matrix
from keras_mixvit.metrics._disagreement import Disagreement, disagreement
from keras_mixvit.metrics._nll import NLL, nll
from keras_mixvit.metrics._ood_detection import ood_detection
from keras_mixvit.metrics._ood_scores import ood_scores
from keras_mixvit.metrics._pairwise_kl import PairwiseKL, pairwise_kl
from keras_mixvit.metrics._ratio_error import RatioError, ratio_error
from keras_mixvit.metrics._risk_coverage import risk_coverage
from keras_mixvit.metrics._selective_risk import coverage_at_risk, risk_at_coverage
from keras_mixvit.metrics._set_scores import set_scores
from keras_mixvit.metrics._subnetwork_accuracy import SubnetworkAccuracy
from keras_mixvit.metrics._subnetwork_nll import SubnetworkNLL
from keras_mixvit.metrics._subnetwork_temperatures import fit_subnetwork_temperatures
from keras_mixvit.metrics._temperature import fit_temperature
from keras_mixvit.metrics._vector_scaling import fit_vector_scaling

__all__ = [
    "ECE",
    "NLL",
    "Brier",
    "ConformalSets",
    "Disagreement",
    "PairwiseKL",
    "RatioError",
    "SubnetworkAccuracy",
    "SubnetworkNLL",
    "TopKAccuracy",
    "accuracy",
    "aurc",
    "auroc",
    "bootstrap_intervals",
    "brier",
    "calibrated_nll",
    "calibration_error",
    "class_accuracy",
    "classwise_calibration_error",
    "confusion_matrix",
    "coverage_at_risk",
    "disagreement",
    "excess_aurc",
    "fit_subnetwork_temperatures",
    "fit_temperature",
    "fit_vector_scaling",
    "nll",
    "ood_detection",
    "ood_scores",
    "pairwise_kl",
    "ratio_error",
    "risk_at_coverage",
    "risk_coverage",
    "set_scores",
]
