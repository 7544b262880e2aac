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


def with_callback(callbacks, callback):
    """Callbacks of a user, none, one or several, with a further one."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(callback)
        return callbacks
    if callbacks is None:
        return [callback]
    several = isinstance(callbacks, (list, tuple))
    return [callback, *(callbacks if several else [callbacks])]
