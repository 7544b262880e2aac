"""Steps after a training whose optimizer averages weights."""

import keras
import numpy as np

from keras_mixvit._kept_steps import KeepsSteps


class Kept(KeepsSteps, keras.Model):
    """One layer."""

    def __init__(self):
        super().__init__()
        self.layer = keras.layers.Dense(2)

    def call(self, inputs):
        return self.layer(inputs)


def test_averaged_weights_can_be_trained_further():
    model = Kept()
    model.compile(keras.optimizers.SGD(0.1, use_ema=True), "mse")
    x, y = np.ones((4, 3), "float32"), np.ones((4, 2), "float32")
    first = model.fit(x, y, verbose=0).history["loss"]
    between = model.train_on_batch(x, y)
    second = model.fit(x, y, verbose=0).history["loss"]
    assert second[0] < between < first[0]
