"""What networks cost: their operations, counted layer by layer."""

from keras_mixvit.costs.flop_report import FlopReport
from keras_mixvit.costs.flops import flops

__all__ = ["FlopReport", "flops"]
