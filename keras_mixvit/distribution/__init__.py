"""Trains one model on many devices, with the engine of each backend."""

from keras_mixvit.distribution._data_parallel import data_parallel
from keras_mixvit.distribution._find_parallel import find_parallel
from keras_mixvit.distribution._launch import launch
from keras_mixvit.distribution._layouts import transformer_layouts
from keras_mixvit.distribution._model_parallel import model_parallel
from keras_mixvit.distribution._parallel import Parallel

__all__ = [
    "Parallel",
    "data_parallel",
    "find_parallel",
    "launch",
    "model_parallel",
    "transformer_layouts",
]
