"""Keras metrics of ensembles and of their subnetworks."""

from keras_mixvit.metrics.nll import NLL
from keras_mixvit.metrics.subnetwork_accuracy import SubnetworkAccuracy

__all__ = ["NLL", "SubnetworkAccuracy"]
