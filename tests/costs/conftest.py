import keras
import pytest
from keras import ops


@pytest.fixture
def _zero_weights(monkeypatch):
    """Draws no weights: large networks are quickly made, and none is run."""

    def zeros(self, shape, dtype=None):
        return ops.zeros(shape, dtype)

    for initializer in ("GlorotUniform", "HeNormal", "RandomNormal", "RandomUniform"):
        cls = getattr(keras.initializers, initializer)
        monkeypatch.setattr(cls, "__call__", zeros)
