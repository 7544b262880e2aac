"""Makes compiled steps again when what they depend on has changed."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
import numpy as np

from keras_mixvit.data._mixed_pair_dataset import MixedPairDataset

# A `MIMOModel`, whose module imports this one.
Model = Any


def make_steps_augment(model: Model, dataset: MixedPairDataset, function: str) -> None:
    """Makes training or evaluation steps augment images as a data set specifies.

    Args:
        model: Model.
        dataset: `MixedPairDataset`.
        function: `"train_function"` or `"test_function"`.
    """
    state, pipeline = model._held, dataset.pipeline
    has_images = pipeline.device_images is not None
    state.pipeline = pipeline if dataset.augments_on_device or has_images else None
    if state.pipeline_of.get(function) is not state.pipeline:
        setattr(model, function, None)
        state.pipeline_of[function] = state.pipeline


def make_steps_weigh(model: Model, weights: np.ndarray | None) -> None:
    """Makes training steps use class weights, or stop using them.

    Args:
        model: Model.
        weights: Array `(K,)`, or `None`.
    """
    before = model._held.class_weights
    is_same = before is None if weights is None else np.array_equal(weights, before)
    if not is_same:
        model.train_function = None
        model._held.class_weights = weights


@contextlib.contextmanager
def releasing_images(model: Model, x: Any, pairs: Any) -> Iterator[None]:
    """Frees the memory of images that `fit` put on the device, after the context.

    Args:
        model: Model.
        x: The data that Keras trains on.
        pairs: The `MixedPairDataset` behind `x`.
    """
    try:
        yield
    finally:
        if isinstance(x, MixedPairDataset) and x.pipeline.device_images is not None:
            x.pipeline.device_images.release()
            model._held.pipeline = pairs.pipeline if pairs.augments_on_device else None
            if keras.config.backend() == "tensorflow":
                # A graph keeps the tensor that it was traced with.
                model.train_function = None
