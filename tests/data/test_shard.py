"""Parts of batches: together they are the whole, whatever their number."""

import re

import keras
import numpy as np
import pytest

from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop
from keras_mixvit.data import ManifoldMixing, PixelMixing, mixed_pair_dataset
from keras_mixvit.masks import ConstantMasks, PatchCutMix

X = np.random.default_rng(0).integers(0, 256, (12, 8, 8, 3)).astype("uint8")
Y = np.arange(12) % 5


def pairs_of(masks=None, **options):
    return mixed_pair_dataset(
        X,
        Y,
        masks or PatchCutMix(patch_size=4),
        epochs=2,
        seed=3,
        **{"batch_size": 12, **options},
    )


def joined(parts):
    return keras.tree.map_structure(lambda *arrays: np.concatenate(arrays), *parts)


CASES = {
    "plain": {},
    "repeated": {"repetitions": 3, "input_repetition": 0.5},
    "ordered": {"input_order": "by_ratio"},
    "augmented": {"augment": Augment([PadCrop(2), HorizontalFlip()])},
    "mixed with the data set": {"num_classes": 5, "pixel_mixing": PixelMixing()},
    "mixed within the batch": {
        "num_classes": 5,
        "augment": Augment([PadCrop(2), HorizontalFlip()]),
        "pixel_mixing": PixelMixing("cutmix_and_mixup", partners="batch"),
    },
    "features": {
        "masks": ConstantMasks(4, 1),
        "num_classes": 5,
        "manifold_mixing": ManifoldMixing(),
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 2, 4])
def test_parts_are_the_whole(case, count):
    pairs = pairs_of(**CASES[case])
    for epoch, index in ((0, 0), (1, len(pairs) - 1)):
        whole = pairs.batch(epoch, index)
        parts = [pairs.shard(i, count).batch(epoch, index) for i in range(count)]
        keras.tree.map_structure(np.testing.assert_array_equal, joined(parts), whole)


@pytest.mark.parametrize("case", ["augmented", "mixed within the batch"])
def test_draws_of_a_part_suffice_for_its_images(case):
    pairs = pairs_of(**CASES[case])
    device = pairs_of(**CASES[case], apply_on="device")
    for index in range(2):
        expected = pairs.shard(index, 2)[0][0]["images"]
        inputs = device.shard(index, 2)[0][0]
        found = device.pipeline.apply(inputs["images"], inputs["draws"], keras.ops)
        found = keras.ops.convert_to_numpy(found)
        np.testing.assert_allclose(found, expected, atol=1e-3)


def test_a_part_has_an_epoch_of_its_own():
    pairs = pairs_of()
    part = pairs.shard(1, 2)
    part.epoch = 1
    assert (pairs.epoch, part.batch_size, part.part) == (0, 12, (1, 2))


@pytest.mark.parametrize(
    ("options", "index", "count", "message"),
    [
        ({}, 0, 0, "`count` must be an integer of at least 1. Received: count=0"),
        ({}, 2, 2, "`index` must be in 0 to 1. Received: index=2"),
        (
            {},
            0,
            5,
            "`count` must divide `batch_size` and the last batch, which "
            "`drop_remainder=True` leaves out. Received: count=5, batch_size=12, "
            "last_batch=12",
        ),
        (
            {"batch_size": 8, "drop_remainder": False},
            0,
            8,
            "`drop_remainder=True` leaves out. Received: count=8, batch_size=8, "
            "last_batch=4",
        ),
    ],
)
def test_parts_that_are_none_are_refused(options, index, count, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        pairs_of(**options).shard(index, count)


def test_a_part_is_not_cut_again():
    message = "`shard` must be called on a whole data set. Received: part=(0, 2)"
    with pytest.raises(ValueError, match=re.escape(message)):
        pairs_of().shard(0, 2).shard(0, 2)
