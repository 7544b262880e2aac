"""A tiny MIMO model that remembers which images it was run on."""

import keras
from keras import ops

from keras_mixvit.models._mimo_model import MIMOModel
from tests.helpers import LOSS

BACKEND = keras.config.backend()


class Recorder(keras.layers.Layer):
    """Gives images as they are, and notes the first value of each."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seen = []

    def call(self, images):
        first = ops.reshape(images, (ops.shape(images)[0], -1))[:, 0]
        if BACKEND == "jax":
            import jax

            jax.debug.callback(self._note, first, ordered=True)
        elif BACKEND == "tensorflow":
            import tensorflow as tf

            tf.py_function(lambda values: self._note(values.numpy()), [first], [])
        elif not first.is_meta:
            self._note(first.detach().numpy())
        return images

    def _note(self, values):
        # PyTorch builds models on images of ones.
        if (values != 1).any():
            self.seen.append([int(value) for value in values])

    def take(self):
        """What was seen since the last call: a list of lists of numbers."""
        if BACKEND == "jax":
            import jax

            jax.effects_barrier()
        seen, self.seen = self.seen, []
        return seen


class RecordingModel(MIMOModel):
    """One linear layer after a `Recorder`, for images of 4 x 4 and masks of 2 x 2."""

    def __init__(self, num_subnetworks=2):
        super().__init__((4, 4, 1), 2, num_subnetworks)
        self.recorder = Recorder(dtype="float32")
        self.linear = keras.layers.Dense(2)
        shape = (num_subnetworks, 4, 4, 1)
        images = keras.Input(shape, name="images")
        masks = keras.Input((num_subnetworks, 2, 2), name="masks")
        training = self._logits(images, (num_subnetworks, 16))
        alone = keras.Input(shape[1:], name="images")
        inference = ops.repeat(self._logits(alone, (1, 16)), num_subnetworks, axis=1)
        inputs = {"images": images, "masks": masks}
        self._connect(
            keras.Model(inputs, training, name="training"),
            keras.Model(alone, inference, name="inference"),
        )
        self.compile("sgd", LOSS, metrics=["accuracy"], jit_compile=False)

    def _logits(self, images, shape):
        return self.linear(ops.reshape(self.recorder(images), (-1, *shape)))
