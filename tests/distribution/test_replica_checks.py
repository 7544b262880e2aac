"""Layers and mixing that replicas would do apart are refused."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit import mixed_pair_dataset
from keras_mixvit.data import ManifoldMixing
from keras_mixvit.distribution._replica_checks import (
    require_own_layers,
    require_unmixed_features,
)
from keras_mixvit.masks import ConstantMasks
from tests.helpers import images


def test_generators_of_keras_are_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dropout(0.5)(inputs))
    message = "`model` must draw random numbers with `keras_mixvit.layers.Dropout`"
    with pytest.raises(ValueError, match=re.escape(message)):
        require_own_layers(model)


def test_batch_norm_of_keras_is_refused():
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.BatchNormalization()(inputs))
    message = (
        "`model` must normalise with "
        "`keras_mixvit.layers.SynchronizedBatchNormalization`: Keras's batch norm"
    )
    with pytest.raises(ValueError, match=re.escape(message)):
        require_own_layers(model)


def test_features_mixed_over_a_batch_are_refused_where_replicas_see_parts():
    x, y = images(8), np.arange(8) % 5
    pairs = mixed_pair_dataset(
        x,
        y,
        ConstantMasks(4, 1),
        epochs=1,
        batch_size=8,
        num_classes=5,
        manifold_mixing=ManifoldMixing(),
    )
    message = "`manifold_mixing` must be None if replicas see only parts of a batch"
    with pytest.raises(ValueError, match=re.escape(message)):
        require_unmixed_features(pairs)
