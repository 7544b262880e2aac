"""What a training step trains, and what it leaves behind."""

import cProfile
import pstats

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, mixed_pair_dataset
from tests.helpers import LOSS, images, numpy, set_weights, tiny_convit

on_torch = pytest.mark.skipif(
    keras.config.backend() != "torch", reason="others trace a step once"
)
LABELS = np.arange(8) % 3


def made(loss=LOSS):
    model = MixViT(tiny_convit(num_blocks=1, num_class_blocks=1), 3)
    set_weights(model)
    model.compile(keras.optimizers.SGD(0.1), loss)
    return model


def pair_of(model):
    return mixed_pair_dataset(
        images(8), LABELS, model.mask_sampler(), epochs=1, batch_size=8, seed=0
    )[0]


@on_torch
def test_a_step_sees_what_is_frozen_between_steps():
    model = made()
    pair = pair_of(model)
    model.train_on_batch(*pair)
    stem = model.backbone.stem
    before, free = [numpy(v) for v in stem.weights], numpy(model.weights[-1])
    stem.trainable = False
    model.train_on_batch(*pair)
    for old, variable in zip(before, stem.weights, strict=True):
        np.testing.assert_array_equal(numpy(variable), old)
    assert np.abs(numpy(model.weights[-1]) - free).max() > 0
    stem.trainable = True
    model.train_on_batch(*pair)
    assert any(
        np.abs(numpy(v) - old).max() > 0
        for old, v in zip(before, stem.weights, strict=True)
    )


@on_torch
def test_gradients_of_a_step_do_not_add_up():
    model, other = made(), made()
    pair = pair_of(model)
    for _ in range(3):
        model.train_on_batch(*pair)
        other.zero_grad()
        for variable in other.trainable_weights:
            assert variable.value.grad is None
        other.train_on_batch(*pair)
    for one, two in zip(model.weights, other.weights, strict=True):
        np.testing.assert_array_equal(numpy(one), numpy(two))
    for variable in model.trainable_weights:
        variable.value.grad.fill_(1.0)
    model.zero_grad(set_to_none=False)
    assert all(float(v.value.grad.abs().max()) == 0 for v in model.trainable_weights)


def test_a_step_that_fails_leaves_the_list_of_weights_alone():
    fails = []

    def failing(y_true, y_pred):
        if fails:
            raise ArithmeticError("no loss")
        return LOSS.call(y_true, y_pred)

    model = made(failing)
    pair = pair_of(model)
    fails.append(True)
    with pytest.raises(ArithmeticError, match="no loss"):
        model.train_on_batch(*pair)
    count = len(model.trainable_weights)
    model.backbone.stem.trainable = False
    assert len(model.trainable_weights) < count


@on_torch
def test_a_step_walks_over_the_layers_once_for_its_weights():
    model = made()
    pair = pair_of(model)
    model.train_on_batch(*pair)
    profile = cProfile.Profile()
    profile.runcall(model.train_on_batch, *pair)
    calls = {
        (file.replace("\\", "/").rpartition("/")[2], name): count
        for (file, _, name), (_, count, *_) in pstats.Stats(profile).stats.items()
    }
    # Keras' own property, which walks: our own calls it once.
    assert calls["layer.py", "trainable_weights"] == 1
    assert ("module.py", "parameters") not in calls
