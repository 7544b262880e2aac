"""Sets of images by name or path."""

from keras_mixvit.data.sets._corrupted import load_corrupted
from keras_mixvit.data.sets._inspection import Inspection, inspect
from keras_mixvit.data.sets._load import load
from keras_mixvit.data.sets._split_facts import SplitFacts

__all__ = ["Inspection", "SplitFacts", "inspect", "load", "load_corrupted"]
