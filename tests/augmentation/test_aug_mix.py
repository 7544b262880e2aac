"""Chains, weights and shares of AugMix, and the sum that they make."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.augmentation import Augment, AugMix
from keras_mixvit.augmentation._aug_mix import OPERATIONS
from keras_mixvit.augmentation._operations import NAMES, apply_operations
from tests.augmentation.pictures import pictures
from tests.helpers import numpy

COUNT = 20_000


def draws(**options):
    return AugMix(**options).draw(np.random.default_rng(0), COUNT, (32, 32, 3))


def test_chains_have_one_to_four_of_eight_operations():
    drawn = draws()["operation"]
    assert drawn.shape == (COUNT, 3, 4)
    depths = (drawn >= 0).sum(axis=2)
    for depth in (1, 2, 3, 4):
        assert abs(np.mean(depths == depth) - 0.25) < 0.01
    # Nothing after the end of a chain.
    assert ((np.diff((drawn >= 0).astype(int), axis=2)) <= 0).all()
    counts = np.bincount(drawn[drawn >= 0], minlength=len(NAMES))
    assert set(np.flatnonzero(counts)) == {NAMES.index(name) for name in OPERATIONS}
    np.testing.assert_allclose(counts[counts > 0] / counts.sum(), 1 / 8, atol=0.005)


def test_strengths_are_those_of_the_published_code():
    drawn = draws()
    expected = {
        "rotate": 3.0,
        "shear_x": 0.03,
        "shear_y": 0.03,
        "translate_x": 0.045,
        "translate_y": 0.045,
        "solarize": 25.6,
        "posterize": 4.0,
        "equalize": 0.0,
    }
    for name, value in expected.items():
        found = drawn["strength"][drawn["operation"] == NAMES.index(name)]
        np.testing.assert_allclose(np.abs(found), value, rtol=1e-6)
        signed = name in ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")
        assert abs(np.mean(found < 0) - 0.5 * signed) < 0.01, name
    strong = draws(severity=30.0)
    bits = strong["strength"][strong["operation"] == NAMES.index("posterize")]
    assert set(bits) == {8.0}


def test_weights_and_shares_are_uniform_on_their_simplex():
    drawn = draws()
    np.testing.assert_allclose(drawn["weight"].sum(axis=1), 1, rtol=1e-5)
    # Of Dirichlet(1, 1, 1): mean 1/3, variance 1/18.
    np.testing.assert_allclose(drawn["weight"].mean(axis=0), 1 / 3, atol=0.01)
    np.testing.assert_allclose(drawn["weight"].var(axis=0), 1 / 18, atol=0.002)
    assert abs(drawn["share"].mean() - 0.5) < 0.01
    assert abs(drawn["share"].var() - 1 / 12) < 0.002


def test_the_result_is_the_sum_of_chains_and_the_image():
    images, mix = pictures(4, side=16), AugMix()
    drawn = mix.draw(np.random.default_rng(1), 4, images.shape[1:])
    found = mix.apply(images, drawn)
    assert found.dtype == np.float32
    expected = np.zeros(images.shape)
    for i in range(4):
        for chain in range(3):
            turns = {
                "operation": drawn["operation"][i : i + 1, chain],
                "strength": drawn["strength"][i : i + 1, chain],
            }
            changed = apply_operations(images[i : i + 1].astype("float32"), turns, 0.0)
            expected[i] += drawn["weight"][i, chain] * changed[0]
        share = drawn["share"][i]
        expected[i] = share * expected[i] + (1 - share) * images[i]
    np.testing.assert_allclose(found, expected, atol=1e-3)


def test_tensors_become_what_arrays_become():
    images, mix = pictures(3, side=12), AugMix(width=2, depth=2)
    drawn = mix.draw(np.random.default_rng(1), 3, images.shape[1:])
    tensors = keras.tree.map_structure(ops.convert_to_tensor, drawn)
    floats = ops.convert_to_tensor(images.astype("float32"))
    found = numpy(mix.apply(floats, tensors, ops))
    np.testing.assert_allclose(found, mix.apply(images, drawn), atol=1e-3)


def test_what_needs_bytes_cannot_come_after_it():
    with pytest.raises(ValueError, match="must have AugMix, which needs whole numbers"):
        Augment([AugMix(), AugMix()])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"severity": 31}, "`severity` must be in [0, 30]. Received: severity=31"),
        ({"width": 0}, "`width` must be an integer of at least 1."),
        ({"depth": 0}, "`depth` must be an integer of at least 1."),
        ({"fill": 256}, "`fill` must be in [0, 255]."),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AugMix(**options)
