"""Sets of images by name or path."""

from keras_mixvit.data.sets._corrupted import load_corrupted
from keras_mixvit.data.sets._inspection import Inspection, SplitFacts, inspect
from keras_mixvit.data.sets._load import load

__all__ = ["Inspection", "SplitFacts", "inspect", "load", "load_corrupted"]
