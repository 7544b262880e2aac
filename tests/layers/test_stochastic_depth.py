import re

import numpy as np
import pytest

from keras_mixvit._seeds import child_seed
from keras_mixvit.layers import StochasticDepth
from tests.helpers import numpy
from tests.layers.references import noise


@pytest.mark.parametrize("rate", [0.2, 0.5])
def test_share_of_dropped_samples_is_the_rate_and_kept_ones_are_scaled(rate):
    inputs = np.abs(noise(4000, 2, 3)) + 0.1
    output = numpy(StochasticDepth(rate, seed=1)(inputs, training=True))
    dropped = (output == 0).all(axis=(1, 2))
    np.testing.assert_array_equal(dropped, (output == 0).any(axis=(1, 2)))
    np.testing.assert_allclose(dropped.mean(), rate, atol=0.03)
    np.testing.assert_allclose(
        output[~dropped], inputs[~dropped] / (1 - rate), rtol=1e-5
    )


@pytest.mark.parametrize("shape", [(64, 5), (64, 2, 2, 3)])
def test_samples_are_dropped_whole_at_any_rank(shape):
    layer = StochasticDepth(0.5, seed=2)
    output = numpy(layer(np.ones(shape, "float32"), training=True))
    samples = output.reshape(64, -1)
    np.testing.assert_array_equal(samples, samples[:, :1] * np.ones_like(samples))
    assert set(np.unique(samples)) == {0.0, 2.0}


def test_successive_calls_drop_other_samples():
    layer = StochasticDepth(0.5, seed=3)
    ones = np.ones((64, 1), "float32")
    assert np.any(
        numpy(layer(ones, training=True)) != numpy(layer(ones, training=True))
    )


@pytest.mark.parametrize("training", [False, None])
def test_inference_is_the_identity(training):
    inputs = noise(8, 3)
    output = numpy(StochasticDepth(0.9)(inputs, training=training))
    np.testing.assert_array_equal(output, inputs)


def test_rate_zero_is_the_identity_in_training_and_holds_no_random_state():
    inputs = noise(8, 3)
    layer = StochasticDepth(0.0)
    np.testing.assert_array_equal(numpy(layer(inputs, training=True)), inputs)
    assert layer.variables == []


def test_equal_seeds_drop_in_step_and_child_seeds_do_not():
    ones = np.ones((64, 1), "float32")

    def dropped(seed):
        return numpy(StochasticDepth(0.5, seed)(ones, training=True)).tolist()

    assert dropped(child_seed(5, 0)) == dropped(child_seed(5, 0))
    assert dropped(child_seed(5, 0)) != dropped(child_seed(5, 1))
    assert dropped(child_seed(5, 0)) != dropped(child_seed(6, 0))


def test_child_of_no_seed_is_no_seed():
    assert child_seed(None, 3) is None


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan")])
def test_rate_out_of_range_is_refused(rate):
    message = f"`rate` must be in [0, 1). Received: rate={rate}"
    with pytest.raises(ValueError, match=re.escape(message)):
        StochasticDepth(rate)
