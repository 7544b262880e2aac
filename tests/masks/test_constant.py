import re

import numpy as np
import pytest

from keras_mixvit.masks import (
    ConstantMasks,
)


@pytest.mark.parametrize("num_subnetworks", [1, 2, 3])
def test_constant_masks_give_equal_shares(num_subnetworks):
    sampler = ConstantMasks(patch_size=4, num_subnetworks=num_subnetworks)
    masks = sampler.draw(np.random.default_rng(0), 5, (8, 12), progress=1.0)
    assert masks.shape == (5, num_subnetworks, 2, 3)
    assert masks.dtype == np.float32
    np.testing.assert_allclose(masks, 1 / num_subnetworks, rtol=1e-7)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"patch_size": -4},
            "`patch_size` must be an integer of at least 1. Received: patch_size=-4",
        ),
        (
            {"patch_size": 4, "num_subnetworks": 0},
            "`num_subnetworks` must be an integer of at least 1. "
            "Received: num_subnetworks=0",
        ),
    ],
)
def test_constant_masks_refuse_arguments_out_of_range(arguments, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        ConstantMasks(**arguments)
