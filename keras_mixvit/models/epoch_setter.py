import keras


class EpochSetter(keras.callbacks.Callback):
    """Tells a data set which epoch begins.

    Keras tells a `PyDataset` that an epoch begins, not which, and counting
    goes wrong where Keras looks at a batch beforehand or a run is resumed.

    Args:
        dataset: Object with an attribute `epoch`, counted from 0.
    """

    def __init__(self, dataset):
        super().__init__()
        self.dataset = dataset

    def on_epoch_begin(self, epoch, logs=None):
        self.dataset.epoch = epoch


def with_callback(callbacks, callback):
    """Callbacks of a user, none, one or several, with a further one."""
    if isinstance(callbacks, keras.callbacks.CallbackList):
        callbacks.append(callback)
        return callbacks
    if callbacks is None:
        return [callback]
    several = isinstance(callbacks, (list, tuple))
    return [callback, *(callbacks if several else [callbacks])]
