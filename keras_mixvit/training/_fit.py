"""One training of a run, from the start or from a checkpoint."""

import importlib.util
from pathlib import Path

import keras

from keras_mixvit._checks import require
from keras_mixvit.data import ImageSet
from keras_mixvit.distribution import Parallel
from keras_mixvit.metrics import NLL
from keras_mixvit.models._mimo_model import MIMOModel
from keras_mixvit.recipes._dataset import dataset_for
from keras_mixvit.recipes._model import model_for
from keras_mixvit.recipes._optimization import loss_for, optimizer_for
from keras_mixvit.recipes._recipe import Recipe
from keras_mixvit.training._calls import even_batch_size, steps_of_a_call
from keras_mixvit.training._checkpoint import Checkpoints, restore
from keras_mixvit.training._epoch_seeds import EpochSeeds
from keras_mixvit.training._progress import ProgressBar, is_terminal
from keras_mixvit.training._recorder import Recorder

CHECKPOINTS = "checkpoints"


def has_tensorboard() -> bool:
    """Whether Keras can write logs for TensorBoard, which needs TensorFlow."""
    return all(map(importlib.util.find_spec, ("tensorflow", "tensorboard")))


def fit(
    recipe: Recipe,
    images: ImageSet,
    validation: ImageSet,
    folder: Path,
    verbose: str | int = "auto",
    tensorboard: bool = False,
    tell=print,
    parallel: Parallel | None = None,
    chooses: bool = True,
    steps_per_execution: int | None = None,
) -> tuple[MIMOModel, Recorder]:
    """Trains a network, or resumes it from the last checkpoint in its folder.

    Args:
        recipe: `Recipe` of one network.
        images: `ImageSet` to train on.
        validation: `ImageSet` that validates the network after every epoch.
        folder: Path of the folder of the training.
        verbose: `"auto"` for one progress bar on a terminal and a line per epoch
            elsewhere, or a value of `keras.Model.fit`. Defaults to `"auto"`.
        tensorboard: Boolean, whether to write logs for TensorBoard. Defaults
            to `False`.
        tell: Function that it calls with each sentence for the user. Defaults to
            `print`.
        parallel: `Parallel`, or `None` for one process. Only process 0 writes and
            prints. Defaults to `None`.
        chooses: Boolean, whether `validation` may choose `best.keras`. Defaults
            to `True`.
        steps_per_execution: Integer, the number of steps per call to the device, or
            `None` for `steps_of_a_call`. Defaults to `None`.

    Returns:
        The trained model, and the `Recorder` that wrote its history.
    """
    model = model_for(recipe, images)
    dataset = dataset_for(recipe, model, images)
    # Pixel and manifold mixing give soft labels, hence this loss.
    model.compile(
        optimizer_for(recipe, model, len(dataset)),
        loss_for(recipe),
        weighted_metrics=["accuracy", NLL()],
        steps_per_execution=steps_per_execution or steps_of_a_call(dataset),
    )
    # A checkpoint holds values for its variables, and a file stores them.
    model.optimizer.build(model.trainable_variables)
    is_main = parallel is None or parallel.is_main
    checkpoints = Checkpoints(folder / CHECKPOINTS)
    start, remarks = checkpoints.latest()
    for remark in remarks:
        tell(remark)
    _require_same(start, parallel)
    if start is not None:
        restore(model, start.arrays)
        tell(f"{model.name} resumes after epoch {start.epochs}.")
    recorder = Recorder(folder, checkpoints, start, parallel, chooses)
    recorder.begin(model)
    finished = start.epochs if start else 0
    bar = None
    if verbose == "auto":
        verbose = 2
        if not is_main:
            verbose = 0
        elif is_terminal():
            verbose, bar = 0, ProgressBar(model.name, recipe.total_epochs, finished)
    callbacks = [EpochSeeds(recipe.seed), recorder]
    if tensorboard and is_main:
        logs = keras.callbacks.TensorBoard(str(folder / "tensorboard"))
        callbacks.append(logs)
    if bar is not None:
        callbacks.append(bar)
    try:
        model.fit(
            dataset,
            validation_data=validation.batches(
                # Without gradients, larger batches fit into the memory, too.
                even_batch_size(len(validation.labels), 4 * recipe.batch_size)
            ),
            class_weight=recipe.loss.class_weights(images.num_classes),
            initial_epoch=finished,
            callbacks=callbacks,
            verbose=verbose,
        )
    finally:
        if bar is not None:
            bar.stop()
    return model, recorder


def _require_same(start, parallel):
    """Requires all processes to resume from the same checkpoint."""
    if parallel is None or parallel.process_count == 1:
        return
    found = parallel.numbers(start.epochs if start else 0)
    require(
        len(set(found)) == 1,
        "`run` must be a folder that every process sees: the processes found "
        "checkpoints of different epochs.",
        epochs=found,
    )
