"""The first values of every weight, compared with the published distributions.

The test computes the distribution functions itself, and compares samples with them
by the Kolmogorov-Smirnov distance. For a right sample of n values, the distance
exceeds 2.2 / sqrt(n) once in ten thousand draws.
"""

import math
import re
from itertools import combinations

import numpy as np
import pytest

from keras_mixvit import (
    CaiT,
    ConViT,
    MixMo,
    MixViT,
    PreActResNet,
    ResNet,
    SingleNetwork,
    WideResNet,
)
from tests.helpers import numpy

# The standard deviation of a standard normal that is cut at -2 and 2.
DENSITY = math.exp(-2) / math.sqrt(2 * math.pi)
WITHIN = math.erf(math.sqrt(2))
CUT_DEVIATION = math.sqrt(1 - 4 * DENSITY / WITHIN)
ERF = np.vectorize(math.erf)


def normal(deviation):
    """Standard deviation and distribution function of a normal of mean zero."""
    return deviation, lambda x: (1 + ERF(x / deviation / math.sqrt(2))) / 2


def he_normal(fan_in):
    """Cut at twice its scale, with the standard deviation sqrt(2 / fan_in)."""
    scale = math.sqrt(2 / fan_in) / CUT_DEVIATION
    _, whole = normal(scale)

    def distribution(x):
        # On PyTorch, Keras draws four times and keeps the last of four that were
        # all too large: 4 in a million.
        assert np.sum(np.abs(x) > 2 * scale * (1 + 1e-6)) <= 3
        return ((whole(x) - 0.5) / WITHIN + 0.5).clip(0, 1)

    return math.sqrt(2 / fan_in), distribution


def uniform(bound):
    def share(x):
        return np.where(np.abs(x) > bound, np.nan, (x / bound + 1) / 2)

    return bound / math.sqrt(3), share


def constant(value):
    return 0.0, value


SMALL = {"patch_size": 2, "width": 64, "num_heads": 4, "num_blocks": 1}
# The first pattern that a path matches counts.
TRANSFORMER = {
    "patch_embedding/(kernel|bias)": lambda shape: uniform(12**-0.5),
    ".*(gamma|gate)": lambda shape: constant(1.0),
    ".*gain": lambda shape: constant(np.float32(0.1)),
    ".*(bias|beta)": lambda shape: constant(0.0),
    ".*(kernel|position_embedding|class_token|source_embedding)": lambda shape: normal(
        0.02
    ),
}
RESIDUAL = {
    ".*(gamma|moving_variance)": lambda shape: constant(1.0),
    ".*(beta|moving_mean|bias)": lambda shape: constant(0.0),
    ".*(convolution|convolution_.|shortcut)/kernel": lambda shape: he_normal(
        math.prod(shape[:3])
    ),
}


def of_heads(head):
    return {**RESIDUAL, "heads/kernel": head}


NETWORKS = {
    "cait": (
        lambda: MixViT(
            CaiT((8, 8, 3), **SMALL, num_class_blocks=1, layer_scale=0.1),
            num_classes=20,
            source_attribution="encoding",
        ),
        TRANSFORMER,
    ),
    "convit": (
        lambda: MixViT(
            ConViT((8, 8, 3), **SMALL, num_class_blocks=1, layer_scale=0.1), 20
        ),
        TRANSFORMER,
    ),
    # The fan-in of a head is its number of features, however many heads there are.
    "wideresnet": (
        lambda: MixMo(WideResNet((8, 8, 3), 10, 1), 20),
        of_heads(lambda shape: he_normal(shape[1])),
    ),
    "preactresnet": (
        lambda: SingleNetwork(PreActResNet((8, 8, 3), 1), 20),
        of_heads(lambda shape: normal(0.01)),
    ),
    "resnet": (
        lambda: SingleNetwork(ResNet((32, 32, 3), 1), 20),
        of_heads(lambda shape: he_normal(shape[1])),
    ),
}
# A ConViT assigns these two; they have tests of their own.
ASSIGNED = ("block_0/attention/value/kernel", "block_0/attention/position_kernel")


def distribution_of(variable, table):
    found = (make for name, make in table.items() if re.fullmatch(name, variable.path))
    return next(found)(tuple(variable.shape))


@pytest.mark.parametrize("kind", NETWORKS)
def test_every_weight_is_drawn_as_published(kind):
    make, table = NETWORKS[kind]
    model = make()
    drawn, squares = [], []
    for variable in model.weights:
        if kind == "convit" and variable.path in ASSIGNED:
            continue
        values = np.sort(numpy(variable).astype("float64").ravel())
        deviation, distribution = distribution_of(variable, table)
        if deviation == 0:
            assert (values == distribution).all(), variable.path
            continue
        count = len(values)
        # The distance at some of the values, the first and the last among them.
        places = np.unique(np.linspace(0, count - 1, 1000).astype(int))
        shares = distribution(values[places])
        assert not np.isnan(shares).any(), variable.path
        above = (places + 1) / count - shares
        distance = max(above.max(), (1 / count - above).max())
        assert distance < 2.2 / math.sqrt(count), (variable.path, distance)
        drawn.append((variable.path, values / deviation))
        squares.append((values / deviation) ** 2)
    # All weights together tell a standard deviation that is 2 % off.
    squares = np.concatenate(squares)
    assert len(squares) > 70_000
    assert abs(squares.mean() - 1) < 4 * math.sqrt(2 / len(squares))
    # Samples of one seed would be equal, but for their scale.
    for (path, first), (other, second) in combinations(drawn, 2):
        if len(first) == len(second) > 3:
            assert not np.allclose(first, second, atol=1e-3), (path, other)


def test_the_value_product_of_a_convit_starts_as_the_identity():
    model = SingleNetwork(ConViT((8, 8, 3), **SMALL), 5)
    attention = model.body.get_layer("block_0").attention
    np.testing.assert_array_equal(numpy(attention.value.kernel), np.eye(64))


@pytest.mark.parametrize("kind", ["cait", "wideresnet"])
def test_heads_and_stems_of_subnetworks_differ(kind):
    model = NETWORKS[kind][0]()
    kernel = numpy(model.heads.kernel)
    assert abs(np.corrcoef(kernel[0].ravel(), kernel[1].ravel())[0, 1]) < 0.2
    if kind == "wideresnet":
        first, second = (numpy(stem.layers[-1].kernel).ravel() for stem in model.stems)
        assert abs(np.corrcoef(first, second)[0, 1]) < 0.2
