"""Figures of trainings and networks, each with the numbers behind it."""

from keras_mixvit.analysis._active_filters import active_filters
from keras_mixvit.analysis._diversity_accuracy import diversity_accuracy
from keras_mixvit.analysis._ensemble_effectiveness import ensemble_effectiveness
from keras_mixvit.analysis._ensemble_scores import ensemble_scores
from keras_mixvit.analysis._feature_influence import feature_influence
from keras_mixvit.analysis._filter_influence import filter_influence
from keras_mixvit.analysis._mask_families import mask_families
from keras_mixvit.analysis._mask_gallery import mask_gallery
from keras_mixvit.analysis._mixed_samples import mixed_samples
from keras_mixvit.analysis._ood_histograms import ood_histograms
from keras_mixvit.analysis._reliability_diagram import reliability_diagram
from keras_mixvit.analysis._risk_coverage_curve import risk_coverage_curve
from keras_mixvit.analysis._subnetwork_attention import subnetwork_attention
from keras_mixvit.analysis._subnetwork_scores import subnetwork_scores
from keras_mixvit.analysis._training_curves import training_curves
from keras_mixvit.analysis._weighting_curves import weighting_curves

__all__ = [
    "active_filters",
    "diversity_accuracy",
    "ensemble_effectiveness",
    "ensemble_scores",
    "feature_influence",
    "filter_influence",
    "mask_families",
    "mask_gallery",
    "mixed_samples",
    "ood_histograms",
    "reliability_diagram",
    "risk_coverage_curve",
    "subnetwork_attention",
    "subnetwork_scores",
    "training_curves",
    "weighting_curves",
]
