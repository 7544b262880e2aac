"""Steps that JAX runs by one scan."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT
from tests.helpers import tiny_convit
from tests.models.many_steps import BACKEND, CLASSES, SOFT, WithNone, pairs_of, single


@pytest.mark.skipif(BACKEND != "jax", reason="is about the scan of JAX")
def test_a_scan_traces_its_step_once_whatever_its_length(monkeypatch):
    traced, train_step = [], MixViT.train_step

    def counted(self, *args):
        traced.append(self.steps_per_execution)
        return train_step(self, *args)

    monkeypatch.setattr(MixViT, "train_step", counted)
    for steps in (3, 6):  # Both divide the six steps of an epoch.
        model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), CLASSES)
        model.compile("sgd", SOFT, steps_per_execution=steps)
        model.fit(pairs_of(model, keep_on_device=False), verbose=0)
    assert traced.count(3) == traced.count(6) > 0


@pytest.mark.skipif(BACKEND != "jax", reason="TensorFlow takes no None")
def test_batches_may_end_in_none():
    losses = [
        single(k).fit(WithNone(), shuffle=False, verbose=0).history["loss"]
        for k in (1, 4)
    ]
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-5)


@pytest.mark.skipif(BACKEND != "jax", reason="is about the state of JAX")
def test_an_error_in_a_later_group_loses_no_step():
    model, alone = single(4), single(1)
    with pytest.raises(ValueError, match="must have the same shape") as error:
        model.fit(WithNone(damaged=2), shuffle=False, verbose=0)
    notes = getattr(error.value, "__notes__", [])
    assert not any("consumed the weights" in note for note in notes)
    for index in range(2):
        alone.train_on_batch(*WithNone()[index][:2])
    for found, expected in zip(model.weights, alone.weights, strict=True):
        np.testing.assert_allclose(
            keras.ops.convert_to_numpy(found),
            keras.ops.convert_to_numpy(expected),
            atol=1e-6,
        )
