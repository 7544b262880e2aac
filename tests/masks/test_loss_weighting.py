import math

import numpy as np
import pytest
from keras import ops

from keras_mixvit.masks import loss_weighting
from tests.helpers import numpy


@pytest.mark.parametrize("r", [0.5, 1.0, 3.0, math.inf])
def test_weights_are_those_of_equation_5(r):
    ratios = np.random.default_rng(0).dirichlet([1.0] * 3, size=4)
    weights = loss_weighting(ratios, r)
    for row, found in zip(ratios, weights, strict=True):
        powers = [ratio ** (1 / r) for ratio in row]
        expected = [3 * power / sum(powers) for power in powers]
        np.testing.assert_allclose(found, expected, rtol=1e-12)
    np.testing.assert_allclose(weights.sum(axis=-1), 3)


def test_tensors_of_a_backend_are_weighted_alike():
    ratios = np.array([[0.0, 1.0], [0.3, 0.7]], "float32")
    found = numpy(loss_weighting(ops.convert_to_tensor(ratios), 3.0, ops))
    np.testing.assert_allclose(found, loss_weighting(ratios, 3.0), rtol=1e-6)


@pytest.mark.parametrize("r", [0, -1.0, math.nan])
def test_exponents_that_are_not_positive_are_refused(r):
    with pytest.raises(ValueError, match=f"`r` must be positive. Received: r={r}"):
        loss_weighting(np.array([0.5, 0.5]), r)
