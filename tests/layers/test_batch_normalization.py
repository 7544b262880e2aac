"""Batch norm over replicas, by the formula, and how it is saved."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import SynchronizedBatchNormalization
from keras_mixvit.layers import _batch_normalization as module
from tests.helpers import numpy

INPUTS = np.random.default_rng(0).normal(2, 3, (6, 4, 5, 3)).astype("float32")


def pair(**options):
    options = {"momentum": 0.9, "epsilon": 1e-5, **options}
    layers = (
        SynchronizedBatchNormalization(**options),
        keras.layers.BatchNormalization(**options),
    )
    for layer in layers:
        layer.build(INPUTS.shape)
        if layer.scale:
            layer.gamma.assign([1.0, 0.5, 2.0])
        if layer.center:
            layer.beta.assign([0.0, 1.0, -1.0])
    return layers


@pytest.fixture
def one_of_two(monkeypatch):
    """As if another replica had the second half of the batch."""

    def total(x):
        other = INPUTS[3:].reshape(-1, 3)
        sums = [other.sum(0), (other**2).sum(0), [float(len(other))]]
        return x + ops.convert_to_tensor(np.concatenate(sums).astype("float32"))

    monkeypatch.setattr(module, "are_several", lambda: True)
    monkeypatch.setattr(module, "sum_over_replicas", total)


@pytest.mark.parametrize("training", [True, False])
def test_alone_it_is_the_layer_of_keras(training):
    ours, plain = pair()
    found = ours(INPUTS, training=training)
    np.testing.assert_allclose(
        numpy(found), numpy(plain(INPUTS, training=training)), atol=1e-6
    )
    np.testing.assert_allclose(
        numpy(ours.moving_variance), numpy(plain.moving_variance), rtol=1e-6
    )


@pytest.mark.parametrize("options", [{}, {"center": False}, {"scale": False}])
@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16"])
def test_a_part_is_normalised_by_the_whole_batch(options, dtype, one_of_two):
    ours, plain = pair(**options, dtype=dtype)
    expected = numpy(plain(INPUTS, training=True))[:3]
    found = numpy(ours(INPUTS[:3], training=True))
    tolerance, rounding = (3e-5, 1e-5) if dtype == "float32" else (3e-2, 1e-3)
    np.testing.assert_allclose(found, expected, atol=tolerance)
    for name in ("moving_mean", "moving_variance"):
        expected = numpy(getattr(plain, name))
        np.testing.assert_allclose(numpy(getattr(ours, name)), expected, rtol=rounding)


def test_frozen_it_uses_what_it_has_learned(one_of_two):
    ours, _ = pair()
    ours.trainable = False
    found = ours(INPUTS[:3], training=True)
    expected = INPUTS[:3] * numpy(ours.gamma) + numpy(ours.beta)
    np.testing.assert_allclose(numpy(found), expected, rtol=1e-4, atol=1e-4)


def test_files_name_the_layer_of_keras(tmp_path):
    inputs = keras.Input(INPUTS.shape[1:])
    ours, _ = pair()
    model = keras.Model(inputs, ours(inputs))
    model(INPUTS, training=True)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    assert type(again.layers[1]) is keras.layers.BatchNormalization
    np.testing.assert_allclose(numpy(again(INPUTS)), numpy(model(INPUTS)), atol=1e-6)
    config = keras.saving.serialize_keras_object(ours)
    assert config["module"] == "keras.layers"
    assert config["class_name"] == "BatchNormalization"


@pytest.mark.parametrize("argument", ["synchronized", "renorm"])
def test_what_it_decides_itself_is_refused(argument):
    message = f"`{argument}` must not be set: this layer always synchronises and "
    with pytest.raises(ValueError, match=message):
        SynchronizedBatchNormalization(**{argument: True})
