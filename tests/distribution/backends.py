"""Which engine a test is about."""

import keras
import numpy as np
import pytest

from keras_mixvit import mixed_pair_dataset
from keras_mixvit.masks import ConstantMasks
from tests.helpers import images

BACKEND = keras.config.backend()


on = {
    name: pytest.mark.skipif(name != BACKEND, reason=f"is about {name}")
    for name in ("jax", "tensorflow", "torch")
}


def pairs_of(count, batch_size, **options):
    return mixed_pair_dataset(
        images(count),
        np.arange(count) % 5,
        ConstantMasks(4, 2),
        epochs=1,
        batch_size=batch_size,
        **options,
    )
