import csv
import math
import time
from pathlib import Path

import keras

from keras_mixvit._checks import require
from keras_mixvit.distribution import Parallel
from keras_mixvit.recipes._protocol import BEST
from keras_mixvit.training._atomic_files import replacing, save_model
from keras_mixvit.training._checkpoint import Checkpoint, Checkpoints, arrays_of

# The share of the time for saving.
SAVING = 0.1


class Recorder(keras.callbacks.Callback):
    """Writes the files of a training after every epoch.

    These are `history.csv`, `best.keras` if the validation accuracy is the best so far,
    `model.keras` and finally the checkpoint, which marks the epoch as finished. Where
    epochs are short, it saves less often, so that saving takes a tenth of the time. A
    training that is killed loses that little.

    Args:
        folder: Path of the folder of the training.
        checkpoints: `Checkpoints`.
        start: `Checkpoint` to resume from, or `None`. Defaults to `None`.
        parallel: `Parallel`, or `None` for one process. Only process 0 writes; the
            others count along. Defaults to `None`.
        chooses: Boolean, whether the validation images may choose `best.keras`.
            Defaults to `True`.

    Raises:
        ValueError: At the end of an epoch whose loss is not finite; it overwrites
            nothing.
    """

    def __init__(
        self,
        folder: Path,
        checkpoints: Checkpoints,
        start: Checkpoint | None = None,
        parallel: Parallel | None = None,
        chooses: bool = True,
    ):
        super().__init__()
        self.folder, self.checkpoints = folder, checkpoints
        self.parallel = parallel or Parallel(num_replicas=1)
        progress = start.progress if start else {}
        self.history = list(progress.get("history", ()))
        self.chooses = chooses
        self.best = progress.get("best") if chooses else None
        self.seconds = progress.get("seconds", 0.0)
        self.unsaved: int | None = None
        self.saved_at = self.seconds_of_saving = 0.0

    def begin(self, model: keras.Model) -> None:
        """Writes the files before the first epoch, or before a resumed one.

        Args:
            model: The model to train.
        """
        if self.parallel.is_main:
            with self.parallel.alone():
                self._write_history()
                save_model(model, self.folder / "model.keras")
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        """Records the epoch, and saves the files that are due."""
        figures = {name: float(value) for name, value in logs.items()}
        for name in ("loss", "val_loss"):
            # Only the validation shows the effect of the last step of an epoch.
            require(
                math.isfinite(figures.get(name, 0.0)),
                f"`{name}` must stay finite: the training diverged in epoch "
                f"{epoch + 1}. Use a smaller learning rate, a longer warm-up or the "
                "precision float32. The folder keeps the files saved before.",
                **{name: figures.get(name)},
            )
        self.history.append({"epoch": epoch, **figures})
        accuracy = figures["val_accuracy"]
        is_best = self.chooses and (
            self.best is None or accuracy > self.best["val_accuracy"]
        )
        if is_best:
            self.best = {"epoch": epoch, "val_accuracy": accuracy}
        now = time.perf_counter()
        self.seconds, self.started = self.seconds + now - self.started, now
        if self.parallel.is_main:
            # Variables created on the way belong to this process.
            with self.parallel.alone():
                self._write_history()
                if is_best:
                    save_model(self.model, self.folder / BEST)
                self.unsaved = epoch
                if self._is_due(now):
                    self._save()

    def on_train_end(self, logs=None):
        """Saves the files of the last epoch."""
        if not self.parallel.is_main:
            return
        with self.parallel.alone():
            if self.unsaved is not None:
                self._save()
            elif self.model.optimizer.use_ema:
                # The model has the averaged weights only now.
                save_model(self.model, self.folder / "model.keras")

    def _is_due(self, now):
        working = now - self.saved_at
        return self.seconds_of_saving <= SAVING * (working + self.seconds_of_saving)

    def _save(self):
        began, epoch = time.perf_counter(), self.unsaved
        save_model(self.model, self.folder / "model.keras")
        progress = {
            "history": self.history,
            "best": self.best,
            "seconds": self.seconds,
        }
        arrays = arrays_of(self.model)
        self.checkpoints.save(Checkpoint((epoch or 0) + 1, arrays, progress))
        self.unsaved, self.saved_at = None, time.perf_counter()
        self.seconds_of_saving = self.saved_at - began

    def _write_history(self):
        path = self.folder / "history.csv"
        if not self.history:
            path.unlink(missing_ok=True)
            return
        with replacing(path) as partial, partial.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(self.history[0]))
            writer.writeheader()
            writer.writerows(self.history)
