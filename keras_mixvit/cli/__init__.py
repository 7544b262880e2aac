"""The command `keras-mixvit`."""

from keras_mixvit.cli._main import main

__all__ = ["main"]
