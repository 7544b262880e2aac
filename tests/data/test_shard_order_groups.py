"""Groups of shards: each makes its own part of every batch."""

import re

import keras
import numpy as np
import pytest
from hypothesis import strategies as st

from keras_mixvit import load
from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop
from keras_mixvit.data import (
    ImageSource,
    ManifoldMixing,
    PixelMixing,
    mixed_pair_dataset,
)
from keras_mixvit.data._shard_order import grouped_order, images_of_groups
from keras_mixvit.masks import ConstantMasks, PatchCutMix
from keras_mixvit.recipes import Recipe, dataset_for, model_for
from tests.data.shards import write_shards
from tests.properties import holds

pytestmark = pytest.mark.one_backend

# The smallest of four groups has 18 images.
SIZES = (8, 9, 10, 11, 10, 12, 12, 14)
STARTS = np.cumsum([0, *SIZES[:-1]])
COUNT = sum(SIZES)
SHARD = np.repeat(np.arange(len(SIZES)), SIZES)
PIXELS = np.random.default_rng(0).integers(0, 256, (COUNT, 8, 8, 3)).astype("uint8")


class Shards(ImageSource):
    """Images in shards, which remember those that were read."""

    def __init__(self):
        super().__init__((8, 8, 3))
        self.seen = set()

    def __len__(self):
        return COUNT

    @property
    def shards(self):
        return STARTS

    def original(self, index):
        self.seen.add(int(index))
        return PIXELS[index]


def pairs_of(masks=None, x=None, **options):
    options = {"epochs": 3, "batch_size": 16, "seed": 3, "shard_groups": 4, **options}
    x = Shards() if x is None else x
    # The label of an image is its index.
    return mixed_pair_dataset(x, np.arange(COUNT), masks or PatchCutMix(4), **options)


AUGMENT = Augment([PadCrop(2), HorizontalFlip()])
MIXED = {"num_classes": COUNT}
CASES = {
    "plain": {},
    "repeated": {"repetitions": 2, "input_repetition": 0.5},
    "augmented": {"augment": AUGMENT, "sample_weight": np.arange(COUNT) % 3},
    "mixed with the data set": {**MIXED, "pixel_mixing": PixelMixing(probability=1.0)},
    "mixed within the batch": {
        **MIXED,
        "augment": AUGMENT,
        "pixel_mixing": PixelMixing("cutmix_and_mixup", 1.0, partners="batch"),
    },
    "features": {
        **MIXED,
        "masks": ConstantMasks(4, 1),
        "manifold_mixing": ManifoldMixing(),
    },
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("count", [1, 2, 4, 8])
def test_parts_are_the_whole_and_read_their_own_shards(case, count):
    pairs = pairs_of(**CASES[case])
    whole = [pairs.batch(e, i) for e in range(3) for i in range(len(pairs))]
    read = []
    for index in range(count):
        own = pairs_of(**CASES[case]).shard(index, count)
        parts = [own.batch(e, i) for e in range(3) for i in range(len(pairs))]
        read.append({int(SHARD[i]) for i in own.x.seen})
        rows = slice(index * 16 // count, (index + 1) * 16 // count)
        expected = keras.tree.map_structure(lambda a, rows=rows: a[rows], whole)
        keras.tree.map_structure(np.testing.assert_array_equal, parts, expected)
    for index, shards in enumerate(read):
        groups = [index * 4 // count + i for i in range(max(1, 4 // count))]
        assert shards == {s for s in range(8) if s % 4 in groups}


@pytest.mark.parametrize("case", CASES)
def test_samples_mix_only_images_of_their_group(case):
    pairs = pairs_of(**CASES[case])
    for index in range(len(pairs)):
        labels = pairs.batch(1, index)[1]
        for row, label in enumerate(labels):
            held = label.nonzero()[-1] if label.ndim == 2 else label
            assert set(SHARD[held] % 4) == {row // 4}


@pytest.mark.parametrize("case", ["plain", "repeated"])
def test_an_image_serves_each_subnetwork_once_per_epoch(case):
    pairs = pairs_of(**CASES[case])
    left_out = []
    for epoch in range(3):
        batches = [pairs.batch(epoch, i)[1] for i in range(len(pairs))]
        for labels in np.moveaxis(np.concatenate(batches), 1, 0):
            found, times = np.unique(labels, return_counts=True)
            assert set(times) == {pairs.repetitions}
        left_out.append(set(range(COUNT)) - set(found))
    # The smallest group has 18 images: 4 steps of 4, or 9 of 2 that come twice.
    smallest = min(SIZES[g] + SIZES[g + 4] for g in range(4))
    assert smallest == 18
    assert len(pairs) == smallest // (4 // pairs.repetitions)
    # What the smallest group cannot match is left out, each time others.
    assert left_out[0] != left_out[1]


@holds(
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=40),
    groups=st.integers(1, 8),
    seed=st.integers(0, 2**32),
)
def test_groups_part_the_shards_and_orders_their_images(sizes, groups, seed):
    groups = min(groups, len(sizes))
    starts = np.cumsum([0, *sizes[:-1]])
    shard = np.repeat(np.arange(len(sizes)), sizes)
    found = images_of_groups(starts, sum(sizes), groups)
    assert sorted(np.concatenate(found)) == list(range(sum(sizes)))
    orders = grouped_order(np.random.default_rng(seed), starts, found)
    assert orders.shape == (groups, min(map(len, found)))
    for g, (images, order) in enumerate(zip(found, orders, strict=True)):
        assert set(shard[images] % groups) == {g}
        assert len(set(order)) == len(order)
        assert set(order) <= set(images)


def test_the_device_mixes_the_same_partners():
    options = CASES["mixed within the batch"]
    served = pairs_of(**options).batch(0, 1)
    pairs = pairs_of(apply_on="device", **options)
    inputs, labels = pairs.batch(0, 1)
    partners = inputs["draws"]["partner"]
    assert (partners // 4 == np.arange(16)[:, None] // 4).all()
    images = pairs.pipeline.apply(inputs["images"], inputs["draws"])
    np.testing.assert_array_equal(images, served[0]["images"])
    np.testing.assert_array_equal(labels, served[1])


def test_partners_of_features_are_rows_of_the_batch():
    inputs, labels = pairs_of(**CASES["features"]).batch(0, 0)
    own = [
        int((image == PIXELS).all(axis=(1, 2, 3)).argmax())
        for image in inputs["images"][:, 0]
    ]
    shares = inputs["shares"].prod(axis=1)
    expected = np.zeros((16, COUNT))
    for row, (partner, share) in enumerate(
        zip(inputs["partners"], shares, strict=True)
    ):
        expected[row, own[row]] += share
        expected[row, own[partner]] += 1 - share
    np.testing.assert_allclose(labels[:, 0], expected, atol=1e-6)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"shard_groups": 0}, "`shard_groups` must be an integer of at least 1."),
        (
            {"shard_groups": 2, "x": PIXELS},
            "`shard_groups` must be 1 for images that are not in shards, and for "
            "shards that are sorted by class. Received: shard_groups=2",
        ),
        (
            {"shard_groups": 16, "batch_size": 32},
            "`shard_groups` must be at most 8, the number of shards. Received: "
            "shard_groups=16",
        ),
        (
            {"shuffle": False},
            "`shard_groups` must be 1 if `shuffle` or `drop_remainder` is False. "
            "Received: shard_groups=4",
        ),
        ({"drop_remainder": False}, "`shard_groups` must be 1 if `shuffle` or "),
        (
            {"batch_size": 24, "repetitions": 4},
            "`shard_groups` must divide 6, the number of different images in a "
            "batch. Received: shard_groups=4",
        ),
        (
            {"batch_size": 16, "repetitions": 2, "shard_groups": 8},
            "`shard_groups` must be at most 4, so that each group has at least two of "
            "the 8 different images in a batch. Received: shard_groups=8",
        ),
        (
            {"batch_size": 80},
            "`batch_size` must be at most 72: the smallest of 4 groups of shards has "
            "18 images. Received: batch_size=80",
        ),
    ],
)
def test_what_groups_cannot_make_is_refused(options, text):
    with pytest.raises(ValueError, match=re.escape(text)):
        pairs_of(**options)


@pytest.mark.usefixtures("caches")
def test_a_recipe_groups_shards(tmp_path):
    images = load(f"wds:{write_shards(tmp_path, shards=6, images=8)}")
    recipe = Recipe(
        backbone={"name": "convit", "width": 16, "num_blocks": 1, "patch_size": 4},
        batch_size=8,
        pairs={"shard_groups": 2},
    )
    model = model_for(recipe, images)
    pairs = dataset_for(recipe, model, images)
    assert pairs.shard_groups == 2
    assert [set(group // 8) for group in pairs.groups] == [{0, 2, 4}, {1, 3, 5}]
    text = "`pairs.shard_groups` must be at most 6, the number of shards."
    with pytest.raises(ValueError, match=re.escape(text)):
        dataset_for(recipe.replace(pairs={"shard_groups": 8}), model, images)
