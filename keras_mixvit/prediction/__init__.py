"""Predictions: what a run or a model says about images, one by one."""

from keras_mixvit._start import is_command

# The command imports what it runs, and nothing to print its help.
if not is_command():
    from keras_mixvit.prediction._predict import predict
    from keras_mixvit.prediction._prediction import Prediction
    from keras_mixvit.prediction._serve import serve

__all__ = ["Prediction", "predict", "serve"]
