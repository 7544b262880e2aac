import re

import numpy as np
import pytest

from keras_mixvit.masks import (
    PatchCutMix,
)
from keras_mixvit.masks._mask_sampler import require_masks
from tests.masks.drawing import drawn


def test_grid_shape_of_a_sampler_is_that_of_the_patches():
    assert PatchCutMix(patch_size=4).grid_shape((8, 20)) == (2, 5)


def test_masks_that_are_shares_are_accepted():
    require_masks(drawn(batch_size=3), (3, 2, 4, 4))
    require_masks(np.full((1, 3, 2, 2), 1 / 3, "float16"), (1, 3, 2, 2))


@pytest.mark.parametrize(
    ("masks", "message"),
    [
        (
            np.ones((2, 2, 3, 3)),
            "`masks` must have shape (2, 2, 2, 2). Received: shape=(2, 2, 3, 3)",
        ),
        (
            np.stack([np.full((2, 2, 2), 1.5), np.full((2, 2, 2), -0.5)], axis=1),
            "`masks` must be in [0, 1]. Received: range=(-0.5, 1.5)",
        ),
        (
            np.full((2, 2, 2, 2), np.nan),
            "`masks` must be in [0, 1]. Received: range=(nan, nan)",
        ),
        (
            np.full((2, 2, 2, 2), 0.25),
            "`masks` must sum to 1 over the subnetworks. Received: sum=0.5",
        ),
        (
            np.ones((2, 2, 2, 2)),
            "`masks` must sum to 1 over the subnetworks. Received: sum=2.0",
        ),
    ],
)
def test_masks_that_are_no_shares_are_refused(masks, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        require_masks(masks, (2, 2, 2, 2))


def test_a_single_wrong_sum_is_found():
    masks = drawn(batch_size=3)
    masks[1, :, 2, 3] = 0
    with pytest.raises(ValueError, match=r"Received: sum=0\.0"):
        require_masks(masks, masks.shape)
