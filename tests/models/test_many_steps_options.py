"""What a training may ask for changes nothing about many steps in one call."""

import keras
import numpy as np
import pytest

from keras_mixvit import MixViT, SingleNetwork
from tests.helpers import numpy, set_weights, tiny_convit
from tests.models.many_steps import BACKEND, CLASSES, SOFT, pairs_of, pixels

pytestmark = pytest.mark.skipif(
    BACKEND == "torch", reason="Keras runs one step on PyTorch"
)


def made(steps_per_execution, optimizer, policy="float32", subnetworks=2):
    keras.utils.set_random_seed(3)
    backbone = tiny_convit(num_blocks=1, num_class_blocks=1, dtype=policy)
    if subnetworks == 1:
        model = SingleNetwork(backbone, CLASSES)
    else:
        model = MixViT(backbone, CLASSES, subnetworks)
    set_weights(model)
    model.compile(
        optimizer(),
        SOFT,
        weighted_metrics=["accuracy"],
        steps_per_execution=steps_per_execution,
    )
    return model


def averaged():
    return keras.optimizers.AdamW(
        1e-2, use_ema=True, ema_overwrite_frequency=4, gradient_accumulation_steps=3
    )


def scaled():
    return keras.optimizers.LossScaleOptimizer(
        keras.optimizers.SGD(0.05), initial_scale=2.0**10, dynamic_growth_steps=4
    )


def everything(model):
    """Weights of all kinds and validation, one training after the other."""
    validation = pixels(6, seed=1), np.eye(CLASSES, dtype="float32")[[0, 1, 2, 3, 4, 0]]
    pairs = pairs_of(model, drop_remainder=False, sample_weight=np.linspace(0.1, 2, 26))
    options = {"class_weight": {0: 3.0}, "validation_data": validation, "verbose": 0}
    first = model.fit(pairs, **options).history
    between = model.train_on_batch(*pairs_of(model, apply_on="pipeline")[0])
    second = model.fit(pairs, **options).history
    return [*first["loss"], *first["val_loss"], between[0], *second["loss"]]


def generated(model):
    """A generator; a callback ends the training after four of eight steps."""

    def batches():
        pairs = pairs_of(model, apply_on="pipeline")
        while True:
            yield from (pairs[index] for index in range(len(pairs)))

    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch >= 3

    history = model.fit(
        batches(), steps_per_epoch=8, epochs=3, callbacks=[Stop()], verbose=0
    )
    assert len(history.history["loss"]) == 1
    return history.history["loss"]


@pytest.mark.parametrize(
    ("optimizer", "policy", "subnetworks", "training"),
    [
        # A minute of compilations on JAX.
        pytest.param(averaged, "float32", 2, everything, marks=pytest.mark.slow),
        pytest.param(scaled, "mixed_float16", 1, everything, marks=pytest.mark.slow),
        (averaged, "float32", 1, generated),
    ],
)
def test_many_steps_with_options(optimizer, policy, subnetworks, training):
    found = {}
    for steps in (1, 4):
        model = made(steps, optimizer, policy, subnetworks)
        losses = training(model)
        found[steps] = losses, model
    tolerance = 1e-6 if policy == "float32" else 1e-3
    np.testing.assert_allclose(found[4][0], found[1][0], rtol=tolerance)
    for left, right in zip(found[1][1].variables, found[4][1].variables, strict=True):
        np.testing.assert_allclose(
            numpy(left), numpy(right), atol=10 * tolerance, err_msg=left.path
        )
