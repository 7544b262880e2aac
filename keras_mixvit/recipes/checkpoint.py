import os
from pathlib import Path

import keras


class Checkpoint(keras.callbacks.Callback):
    """Keeps the model of the last epoch in one file that is always whole.

    Args:
        path: Path of the `.keras` file.
    """

    def __init__(self, path):
        super().__init__()
        self.path = Path(path)

    def save(self):
        """Writes the model beside the file, then puts it in its place."""
        partial = self.path.with_name(f"partial-{self.path.name}")
        self.model.save(partial)
        os.replace(partial, self.path)

    def on_train_begin(self, logs=None):
        self.save()

    def on_epoch_end(self, epoch, logs=None):
        self.save()
