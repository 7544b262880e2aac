import re

import numpy as np
import pytest

from keras_mixvit.layers import PrefixTokens
from tests.helpers import numpy, set_weights
from tests.layers.compiled import call
from tests.layers.references import noise


@pytest.mark.parametrize("has_positions", [True, False])
@pytest.mark.parametrize(
    ("class_token", "registers"), [(True, 0), (True, 3), (False, 2)]
)
def test_every_sample_gets_class_token_and_registers(
    class_token, registers, has_positions
):
    layer = PrefixTokens(class_token, registers, has_positions)
    grid = noise(3, 2, 3, 8)
    layer.build(grid.shape)
    set_weights(layer)
    parts = [x for x in (layer.token, layer.registers) if x is not None]
    expected = np.concatenate([numpy(x) for x in parts])
    if has_positions:
        expected = expected + numpy(layer.positions)
    found = numpy(call(layer, grid))
    assert found.shape == (3, layer.num_tokens, 8)
    assert layer.compute_output_shape(grid.shape) == found.shape
    np.testing.assert_allclose(found, np.stack([expected] * 3), rtol=1e-6)
    assert len(layer.trainable_variables) == len(parts) + has_positions


def test_weights_start_at_a_small_normal():
    layer = PrefixTokens(num_registers=40)
    layer.build((None, 2, 3, 64))
    for weights in layer.trainable_variables:
        np.testing.assert_allclose(numpy(weights).std(), 0.02, rtol=0.4)


def test_dropout_is_per_sample_and_in_training_only():
    layer = PrefixTokens(num_registers=3, dropout_rate=0.5, seed=0)
    grid = np.zeros((100, 1, 1, 4), "float32")
    layer.build(grid.shape)
    for weights in layer.trainable_variables:
        weights.assign(np.full(weights.shape, 0.5))
    dropped = numpy(call(layer, grid, training=True))
    assert set(np.unique(dropped)) == {0.0, 2.0}
    np.testing.assert_allclose(dropped.mean(), 1.0, atol=0.15)
    assert np.any(dropped[0] != dropped[1])
    np.testing.assert_allclose(numpy(call(layer, grid)), 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"class_token": False},
            "`num_registers` must be at least 1 without a class token. "
            "Received: num_registers=0",
        ),
        (
            {"num_registers": 1.5},
            "`num_registers` must be an integer of at least 0. "
            "Received: num_registers=1.5",
        ),
        (
            {"dropout_rate": 1},
            "`dropout_rate` must be in [0, 1). Received: dropout_rate=1",
        ),
    ],
)
def test_arguments_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=f"^{re.escape(message)}$"):
        PrefixTokens(**arguments)
