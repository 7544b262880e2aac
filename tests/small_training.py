"""A model that is quick to train, its state, and trainings that fail."""

import keras
import numpy as np
import pytest

from keras_mixvit import SingleNetwork
from tests.helpers import LOSS, images, tiny_convit

LAST = 3


class Batches(keras.utils.PyDataset):
    """Four batches of four images, one of which raises an error.

    Not the second one: Keras looks at the first two before it trains on TensorFlow.
    """

    def __init__(self, fails_at=None, error=OSError, with_labels=True, seed=0):
        super().__init__()
        self.fails_at, self.error = fails_at, error
        self.with_labels, self.seed = with_labels, seed

    def __len__(self):
        return LAST + 1

    def __getitem__(self, index):
        if index == self.fails_at:
            raise self.error("This batch cannot be read.")
        x = images(4, seed=self.seed + index)
        return (x, np.arange(4) + index % 2) if self.with_labels else (x,)


def small_model(**options):
    keras.utils.set_random_seed(1)
    backbone = tiny_convit(num_blocks=1, num_class_blocks=1, stochastic_depth_rate=0.3)
    model = SingleNetwork(backbone, 5)
    optimizer = keras.optimizers.SGD(0.1, momentum=0.9, weight_decay=0.1)
    model.compile(optimizer, LOSS, metrics=["accuracy"], **options)
    model.optimizer.build(model.trainable_variables)
    return model


def state_of(model):
    """Weights, seeds and optimizer."""
    variables = [*model.variables, *model.optimizer.variables]
    return [np.array(keras.ops.convert_to_numpy(variable)) for variable in variables]


def assert_same(found, expected, atol=1e-6):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=atol)


def with_state(model, state):
    variables = [*model.variables, *model.optimizer.variables]
    for variable, value in zip(variables, state, strict=True):
        variable.assign(value)
    return model


def notes_of(error):
    return getattr(error, "__notes__", [])


def fails(run, *args, **kwargs):
    # TensorFlow wraps what a data set raises.
    with pytest.raises(BaseException) as error:  # noqa: PT011
        run(*args, **kwargs)
    assert not any("load them" in note for note in notes_of(error.value))
    return error.value
