"""Counts the operations of networks, layer by layer."""

from keras_mixvit.costs._flop_report import FlopReport
from keras_mixvit.costs._flops import flops

__all__ = ["FlopReport", "flops"]
