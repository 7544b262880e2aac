import numpy as np

from keras_mixvit.augmentation import (
    RandAugment,
)
from keras_mixvit.augmentation._operations import NAMES
from tests.augmentation.drawing import SHAPE, rng


def test_rand_augment_draws_what_deit_draws():
    draws = RandAugment().draw(rng(), 100_000, SHAPE)
    operations, strengths = draws["operation"], draws["strength"]
    assert abs(np.mean(operations == -1) - 0.5) < 0.01
    counts = np.bincount(operations[operations >= 0])
    np.testing.assert_allclose(counts / counts.sum(), 1 / 15, atol=0.005)
    rotations = np.abs(strengths[operations == NAMES.index("rotate")])
    assert abs(rotations.mean() - 27) < 0.1
    assert rotations.max() <= 30
    bits = strengths[operations == NAMES.index("posterize")]
    assert set(np.unique(bits)) <= {0.0, 1.0, 2.0}
    factors = strengths[operations == NAMES.index("colour")]
    assert factors.min() >= 0.1 - 1e-6
    assert factors.max() <= 1.9 + 1e-6
