import keras


class EpochSetter(keras.callbacks.Callback):
    """Sets the epoch of data sets when an epoch begins.

    Keras says to a `PyDataset` that an epoch begins, not which one. Counting
    goes wrong where Keras takes a batch beforehand or you resume a run.

    Args:
        *datasets: Objects with an attribute `epoch`, counted from 0.
    """

    def __init__(self, *datasets):
        super().__init__()
        self.datasets = datasets

    def on_epoch_begin(self, epoch, logs=None):
        for dataset in self.datasets:
            dataset.epoch = epoch


def with_callback(callbacks, *further) -> list:
    """Callbacks of a user, none, one or several, after further ones.

    Args:
        callbacks: What Keras takes. Of a `CallbackList` its callbacks are
            taken, as Keras knows only its own `CallbackList` of a model.
        *further: Callbacks.
    """
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks = callbacks.callbacks
    if callbacks is None:
        callbacks = []
    several = isinstance(callbacks, (list, tuple))
    return [*further, *(callbacks if several else [callbacks])]
