"""What networks cost: their operations, counted layer by layer."""

from keras_mixvit.costs._flop_report import FlopReport
from keras_mixvit.costs._flops import flops

__all__ = ["FlopReport", "flops"]
