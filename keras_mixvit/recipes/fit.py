"""One training of a run, from its beginning or from a checkpoint."""

import importlib.util
from pathlib import Path

import keras

from keras_mixvit.data import ImageSet
from keras_mixvit.metrics import NLL
from keras_mixvit.models.mimo_model import MIMOModel
from keras_mixvit.recipes.checkpoint import Checkpoints, restore
from keras_mixvit.recipes.data_sets import dataset_for
from keras_mixvit.recipes.epoch_seeds import EpochSeeds
from keras_mixvit.recipes.methods import model_for
from keras_mixvit.recipes.optimization import loss_for, optimizer_for
from keras_mixvit.recipes.progress import ProgressBar, is_terminal
from keras_mixvit.recipes.recipe import Recipe
from keras_mixvit.recipes.recorder import Recorder

CHECKPOINTS = "checkpoints"


def has_tensorboard() -> bool:
    """Whether Keras can write logs for TensorBoard; it does so by TensorFlow."""
    return all(map(importlib.util.find_spec, ("tensorflow", "tensorboard")))


def fit(
    recipe: Recipe,
    images: ImageSet,
    validation: ImageSet,
    folder: Path,
    verbose: str | int = "auto",
    tensorboard: bool = False,
    tell=print,
) -> tuple[MIMOModel, Recorder]:
    """Trains a network, from the last checkpoint in its folder if there is one.

    Args:
        recipe: `Recipe` of one network.
        images: `ImageSet` to train on.
        validation: `ImageSet` to validate on after every epoch.
        folder: Path of the folder of the training.
        verbose: `"auto"` for a bar over all epochs on a terminal and a line
            for each epoch elsewhere, or what `keras.Model.fit` takes. Defaults
            to `"auto"`.
        tensorboard: Boolean, whether to write logs for TensorBoard. Defaults
            to `False`.
        tell: Function that is given sentences. Defaults to `print`.

    Returns:
        The trained model, and the `Recorder` that wrote its history.
    """
    model = model_for(recipe, images)
    dataset = dataset_for(recipe, model, images)
    # Pixel and manifold mixing bring soft labels, for which this loss is.
    model.compile(
        optimizer_for(recipe, model, len(dataset)),
        loss_for(recipe),
        weighted_metrics=["accuracy", NLL()],
    )
    # A checkpoint has values for its variables, and a file keeps them.
    model.optimizer.build(model.trainable_variables)
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    start, remarks = checkpoints.latest()
    for remark in remarks:
        tell(remark)
    if start is not None:
        restore(model, start.arrays)
        tell(f"{model.name} goes on after epoch {start.epochs}.")
    recorder = Recorder(folder, checkpoints, start)
    recorder.begin(model)
    finished = start.epochs if start else 0
    bar = None
    if verbose == "auto":
        verbose = 2
        if is_terminal():
            verbose, bar = 0, ProgressBar(model.name, recipe.total_epochs, finished)
    callbacks = [EpochSeeds(recipe.seed), recorder]
    if tensorboard:
        logs = keras.callbacks.TensorBoard(str(folder / "tensorboard"))
        callbacks.append(logs)
    if bar is not None:
        callbacks.append(bar)
    try:
        model.fit(
            dataset,
            validation_data=validation.batches(recipe.batch_size),
            initial_epoch=finished,
            callbacks=callbacks,
            verbose=verbose,
        )
    finally:
        if bar is not None:
            bar.stop()
    return model, recorder
