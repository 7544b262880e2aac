"""Heads of the subnetworks."""

import json
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import (
    SubnetworkHeads,
)
from tests.helpers import numpy, set_weights
from tests.layers.references import noise, wide


def test_every_head_reads_shared_features():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    features = noise(2, 5)
    heads.build(features.shape)
    set_weights(heads)
    expected = np.stack(
        [features @ wide(heads.kernel)[m] + wide(heads.bias)[m] for m in range(3)],
        axis=1,
    )
    np.testing.assert_allclose(numpy(heads(features)), expected, rtol=1e-5, atol=1e-5)
    for m in range(3):
        single = numpy(heads(features, subnetwork=m))
        assert single.shape == (2, 1, 4)
        np.testing.assert_allclose(single[:, 0], expected[:, m], rtol=1e-5, atol=1e-5)


def test_head_m_reads_features_m():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    features = noise(2, 3, 5)
    heads.build(features.shape)
    set_weights(heads)
    expected = np.stack(
        [
            features[:, m] @ wide(heads.kernel)[m] + wide(heads.bias)[m]
            for m in range(3)
        ],
        axis=1,
    )
    np.testing.assert_allclose(numpy(heads(features)), expected, rtol=1e-5, atol=1e-5)
    single = numpy(heads(features[:, 1:2], subnetwork=1))
    np.testing.assert_allclose(single, expected[:, 1:2], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_logits_are_float32_under_mixed_precision(policy):
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=2, dtype=policy)
    logits = heads(keras.Input((5,)))
    assert logits.dtype == "float32"
    assert logits.shape == (None, 2, 4)


@pytest.mark.parametrize("num_subnetworks", [1, 3])
def test_heads_start_as_the_initializer_draws_one_head(num_subnetworks):
    class Ramp(keras.initializers.Initializer):
        """Numbers each input, from 0, in every column."""

        def __call__(self, shape, dtype=None):
            features, columns = shape
            return ops.convert_to_tensor(
                np.arange(features)[:, None] + np.arange(columns) / 100, dtype
            )

    heads = SubnetworkHeads(4, num_subnetworks, initializer=Ramp())
    heads.build((None, 5))
    kernel = numpy(heads.kernel)
    assert kernel.shape == (num_subnetworks, 5, 4)
    np.testing.assert_array_equal(np.floor(kernel), np.arange(5)[:, None] + 0 * kernel)
    # No two heads share a draw.
    assert len(np.unique(kernel[:, 0])) == 4 * num_subnetworks
    np.testing.assert_array_equal(numpy(heads.bias), 0.0)


def test_heads_start_from_a_normal_of_two_hundredths_without_an_initializer():
    heads = SubnetworkHeads(50, 2)
    heads.build((None, 60))
    np.testing.assert_allclose(numpy(heads.kernel).std(), 0.02, rtol=0.05)


def test_every_parameter_of_heads_is_in_the_l2_loss():
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3, l2=0.01)
    heads.build((None, 5))
    set_weights(heads)
    squares = np.sum(wide(heads.kernel) ** 2) + np.sum(wide(heads.bias) ** 2)
    loss = sum(float(numpy(term)) for term in heads.losses)
    np.testing.assert_allclose(loss, 0.01 * squares, rtol=1e-5)
    plain = SubnetworkHeads(4, 3)
    plain.build((None, 5))
    assert plain.losses == []


@pytest.mark.parametrize(
    "initializer", [None, "he_normal", keras.initializers.RandomNormal(stddev=0.01)]
)
def test_config_of_heads_keeps_initializer_and_l2(initializer):
    heads = SubnetworkHeads(4, 2, initializer, 0.01)
    serialised = keras.saving.serialize_keras_object(heads)
    copy = keras.saving.deserialize_keras_object(json.loads(json.dumps(serialised)))
    assert copy.get_config() == heads.get_config()
    assert type(copy.initializer) is type(heads.initializer)
    assert copy.l2 == 0.01


@pytest.mark.parametrize("subnetwork", [-1, 3])
def test_subnetwork_must_be_an_index(subnetwork):
    heads = SubnetworkHeads(num_classes=4, num_subnetworks=3)
    message = f"`subnetwork` must be in 0 to 2. Received: subnetwork={subnetwork}"
    with pytest.raises(ValueError, match=re.escape(message)):
        heads(noise(2, 5), subnetwork=subnetwork)
