"""A model that compiles at once: subnetworks are linear in the pixels."""

import keras

from keras_mixvit.models._mimo_model import MIMOModel
from tests.helpers import set_weights


class Linear(MIMOModel):
    """Subnetworks of one layer, their weights drawn from a seed."""

    def __init__(self, shape, classes, members=1, seed=0, **options):
        super().__init__(shape, classes, members, **options)
        self.flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        self.heads = keras.layers.Dense(members * classes, dtype=self.dtype_policy)
        images = keras.Input(shape)
        logits = keras.layers.Reshape((members, classes), dtype=self.dtype_policy)(
            self.heads(self.flatten(images))
        )
        network = keras.Model(images, logits)
        self._connect(network, network)
        set_weights(self, seed)
