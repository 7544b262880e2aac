import sys
from typing import Any

import keras


def is_terminal() -> bool:
    """Whether standard output is a terminal."""
    return sys.stdout.isatty()


class ProgressBar(keras.callbacks.Callback):
    """One progress bar for all epochs, with the time left.

    Args:
        name: String, the name of the network.
        epochs: Integer, the number of all epochs.
        finished: Integer, the number of epochs that a resumed training has finished.
            Defaults to `0`.
    """

    def __init__(self, name: str, epochs: int, finished: int = 0):
        super().__init__()
        self.name, self.epochs, self.finished = name, epochs, finished
        self.bar: Any = None
        self.steps = 0

    def set_params(self, params):
        """Takes the number of steps per epoch from Keras."""
        super().set_params(params)
        self.steps = params["steps"]

    def on_train_begin(self, logs=None):
        """Draws the bar."""
        from rich.progress import (
            BarColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self.bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TextColumn("epoch {task.fields[epoch]}/{task.fields[epochs]}"),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[figures]}"),
            # Validation runs once per epoch, so the time left is estimated from all
            # epochs.
            speed_estimate_period=86400,
        )
        self.task = self.bar.add_task(
            self.name,
            total=(self.epochs - self.finished) * self.steps,
            epoch=self.finished,
            epochs=self.epochs,
            figures="",
        )
        self.bar.start()

    def on_epoch_begin(self, epoch, logs=None):
        """Shows the number of the epoch."""
        self.bar.update(self.task, epoch=epoch + 1)

    def on_train_batch_end(self, batch, logs=None):
        """Advances the bar by a step."""
        self.bar.advance(self.task)

    def on_epoch_end(self, epoch, logs=None):
        """Shows the losses and metrics of the epoch."""
        names = ("loss", "val_accuracy", "val_nll")
        figures = " ".join(f"{name} {logs[name]:.4f}" for name in names if name in logs)
        self.bar.update(self.task, figures=figures)

    def on_train_end(self, logs=None):
        """Ends the bar."""
        self.stop()

    def stop(self):
        """Restores the terminal, even after a failure."""
        if self.bar is not None:
            self.bar.stop()
