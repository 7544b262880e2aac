"""TensorFlow compiles a step once, although a first step creates variables."""

import keras
import numpy as np
import pytest

from keras_mixvit import SingleNetwork
from tests.helpers import LOSS, images, tiny_convit

pytestmark = pytest.mark.skipif(
    keras.config.backend() != "tensorflow", reason="Others trace in their own way."
)


@pytest.fixture
def counted():
    """A compiled model that was not trained, and how often its steps were traced."""
    counts = {"train_step": 0, "test_step": 0}

    class Counted(SingleNetwork):
        def train_step(self, *args):
            counts["train_step"] += 1
            return super().train_step(*args)

        def test_step(self, *args):
            counts["test_step"] += 1
            return super().test_step(*args)

    model = Counted(tiny_convit(num_blocks=1, num_class_blocks=1), 5)
    model.compile(keras.optimizers.AdamW(1e-3), LOSS, metrics=["accuracy"])
    return model, counts


def test_fit(counted):
    model, counts = counted
    x, y = images(8), np.arange(8) % 5
    model.fit(x, y, batch_size=4, epochs=2, validation_data=(x, y), verbose=0)
    assert counts == {"train_step": 1, "test_step": 1}
    # Another compilation has another optimizer.
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), LOSS)
    model.fit(x, y, batch_size=4, verbose=0)
    assert counts["train_step"] == 2


def test_train_on_batch(counted):
    model, counts = counted
    for _ in range(2):
        model.train_on_batch(images(4), np.arange(4))
    assert counts["train_step"] == 1
    assert int(model.optimizer.iterations) == 2
