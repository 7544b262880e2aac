"""What pairing, sharding and mixing promise, for any sizes and numbers."""

import keras
import numpy as np
from hypothesis import strategies as st

from keras_mixvit.augmentation import Augment, HorizontalFlip, PadCrop, RandomErasing
from keras_mixvit.data import ManifoldMixing, PixelMixing, mixed_pair_dataset
from keras_mixvit.data._pairing import ordered, paired
from keras_mixvit.masks import ConstantMasks, CutMixMasks, LinearMasks, PatchCutMix
from tests.properties import holds

SEEDS = st.integers(0, 2**32 - 1)
CLASSES = 5
MASKS = {
    "patches": lambda m: PatchCutMix(2, m),
    "boxes": lambda m: CutMixMasks(1, m),
    "shares": lambda m: LinearMasks(4, m),
}
AUGMENTS = {
    "none": None,
    "bytes": Augment([PadCrop(1), HorizontalFlip()]),
    "floats": Augment([HorizontalFlip(), RandomErasing(0.5)]),
}


@holds(
    few=50,
    many=3000,
    images=st.integers(1, 30),
    repetitions=st.integers(1, 4),
    members=st.integers(1, 5),
    share=st.floats(0, 1),
    seed=SEEDS,
)
def test_each_image_serves_each_subnetwork_as_often(
    images, repetitions, members, share, seed
):
    chosen = np.repeat(np.arange(images), repetitions)
    pairs = paired(np.random.default_rng(seed), chosen, members, share)
    assert pairs.shape == (images * repetitions, members)
    for member in range(members):
        np.testing.assert_array_equal(np.sort(pairs[:, member]), chosen)
    alike = (pairs == pairs[:, :1]).all(axis=1)
    assert alike.sum() >= round(share * len(chosen))
    again = paired(np.random.default_rng(seed), chosen, members, share)
    np.testing.assert_array_equal(again, pairs)


@holds(
    few=30,
    many=2000,
    order=st.sampled_from(["random", "by_ratio", None]),
    members=st.integers(1, 5),
    batch=st.integers(1, 12),
    seed=SEEDS,
)
def test_an_order_moves_images_and_masks_alike(order, members, batch, seed):
    rng = np.random.default_rng(seed)
    pairs = np.arange(batch * members).reshape(batch, members)
    masks = LinearMasks(1, members).draw(rng, batch, (2, 3)) if members > 1 else None
    masks = np.ones((batch, 1, 2, 3), "float32") if masks is None else masks
    moved, moved_masks = ordered(rng, order, pairs, masks)
    np.testing.assert_array_equal(np.sort(moved, axis=1), pairs)
    samples = np.arange(batch)[:, None]
    np.testing.assert_array_equal(moved_masks, masks[samples, moved % members])
    if order is None:
        np.testing.assert_array_equal(moved, pairs)
    if order == "by_ratio":
        assert (np.diff(moved_masks.mean(axis=(2, 3)), axis=1) <= 1e-6).all()


@st.composite
def options(draw):
    """Arguments of a data set that fit together."""
    parts = draw(st.integers(1, 4))
    repetitions = draw(st.integers(1, 2))
    per_part = draw(st.integers(1, 3))
    batch_size = parts * repetitions * per_part
    count = batch_size // repetitions * draw(st.integers(1, 3)) + draw(
        st.integers(0, 2)
    )
    members = draw(st.integers(1, 3))
    augment = AUGMENTS[draw(st.sampled_from(sorted(AUGMENTS)))]
    kind = draw(st.sampled_from([None, "cutmix", "mixup", "cutmix_and_mixup"]))
    mixing = None
    if kind is not None:
        mixing = PixelMixing(
            kind,
            probability=draw(st.floats(0, 1)),
            partners=draw(st.sampled_from(["dataset", "batch"])),
            visible_share=draw(st.booleans()),
        )
    masks = ConstantMasks(4, 1)
    if members > 1:
        masks = MASKS[draw(st.sampled_from(sorted(MASKS)))](members)
    manifold = draw(st.sampled_from([None, ManifoldMixing()])) if members == 1 else None
    is_mixed = mixing is not None or manifold is not None
    device = draw(st.booleans()) and (augment is not None or mixing is not None)
    given = {
        "masks": masks,
        "epochs": draw(st.integers(1, 3)),
        "batch_size": batch_size,
        "seed": draw(st.integers(0, 2**64)),
        "shuffle": draw(st.booleans()),
        "repetitions": repetitions,
        "input_repetition": draw(st.floats(0, 1)),
        "input_order": draw(st.sampled_from(["random", "by_ratio", None])),
        "num_classes": CLASSES if is_mixed or draw(st.booleans()) else None,
        "augment": augment,
        "pixel_mixing": mixing,
        "manifold_mixing": manifold,
        "apply_on": "device" if device else "pipeline",
    }
    return count, parts, given


def made(count, given):
    rng = np.random.default_rng(count)
    x = rng.integers(0, 256, (count, 8, 4, 1), "uint8")
    return mixed_pair_dataset(x, rng.integers(CLASSES, size=count), **given)


def same(first, second):
    keras.tree.assert_same_structure(first, second)
    for a, b in zip(keras.tree.flatten(first), keras.tree.flatten(second), strict=True):
        assert a.dtype == b.dtype
        np.testing.assert_array_equal(a, b)


@holds(few=25, many=1500, drawn=options(), place=st.floats(0, 1, exclude_max=True))
def test_a_batch_is_a_pure_function_of_seed_epoch_and_place(drawn, place):
    count, _, given = drawn
    data = made(count, given)
    epoch, index = int(place * given["epochs"]), int(place * len(data))
    inputs, labels = batch = data.batch(epoch, index)
    batch_size, members = given["batch_size"], data.masks_shape[0]
    assert inputs["images"].shape == (batch_size, members, 8, 4, 1)
    assert inputs["images"].dtype in ("uint8", "float32")
    assert np.isfinite(inputs["images"]).all()
    assert labels.shape[:2] == (batch_size, members)
    if labels.ndim == 3:
        assert labels.dtype == np.float32
        np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-5)
        assert labels.min() >= 0
    # Other batches in between, another object, and what the caller does with
    # arrays, change nothing.
    for array in keras.tree.flatten(batch):
        array.copy()
    kept = keras.tree.map_structure(np.copy, batch)
    for array in keras.tree.flatten(batch):
        if array.flags.writeable:
            array[...] = 0
    for other in range(len(data)):
        data.batch(given["epochs"] - 1, other)
    same(data.batch(epoch, index), kept)
    same(made(count, given).batch(epoch, index), kept)
    data.epoch = epoch
    same(data[index], kept)


@holds(few=25, many=1500, drawn=options(), place=st.floats(0, 1, exclude_max=True))
def test_parts_make_the_whole_batch(drawn, place):
    count, parts, given = drawn
    data = made(count, given)
    epoch, index = int(place * given["epochs"]), int(place * len(data))
    inputs, labels = data.batch(epoch, index)
    # Partners in another part are read as others are: what is done by a step
    # on the device is compared after it is done.
    if data.augments_on_device:
        inputs = dict(inputs)
        inputs["images"] = data.pipeline.apply(inputs["images"], inputs.pop("draws"))
    pieces = []
    for part in range(parts):
        some, some_labels = data.shard(part, parts).batch(epoch, index)
        if data.augments_on_device:
            some["images"] = data.pipeline.apply(some["images"], some.pop("draws"))
        assert len(some["images"]) == given["batch_size"] // parts
        pieces.append((some, some_labels))
    whole = keras.tree.map_structure(lambda *some: np.concatenate(some), *pieces)
    # A part in which nothing is mixed may stay of bytes.
    whole[0]["images"] = whole[0]["images"].astype(inputs["images"].dtype)
    same(whole, (inputs, labels))


@holds(
    few=30,
    many=2000,
    kind=st.sampled_from(["cutmix", "mixup", "cutmix_and_mixup"]),
    alpha=st.floats(1e-3, 1e3),
    shape=st.tuples(st.integers(1, 6), st.integers(1, 4)),
    grid=st.tuples(st.integers(1, 5), st.integers(1, 5)),
    size=st.integers(1, 4),
    visible=st.booleans(),
    seed=SEEDS,
)
def test_shares_of_pixel_mixing_are_what_is_seen(
    kind, alpha, shape, grid, size, visible, seed
):
    rng = np.random.default_rng(seed)
    image_size = tuple(size * side for side in grid)
    masks = np.ones((shape[0], 1, *grid), "float32")
    if shape[1] > 1:
        masks = CutMixMasks(size, shape[1]).draw(rng, shape[0], image_size)
    mixing = PixelMixing(kind, 0.7, alpha, visible_share=visible)
    draws, own = mixing.draw(rng, shape, image_size, masks)
    assert draws["box"].dtype == draws["shares"].dtype == np.float32
    assert own.shape == shape
    assert (own >= 0).all()
    assert (own <= 1).all()
    for b, m in np.ndindex(shape):
        top, bottom, left, right = draws["box"][b, m].astype(int)
        pixels = np.full(image_size, draws["shares"][b, m, 1], "float64")
        pixels[top:bottom, left:right] = draws["shares"][b, m, 0]
        # Each pixel counts as much as its place in the mask.
        weights = np.kron(masks[b, m].astype("float64"), np.ones((size, size)))
        if not visible or weights.sum() == 0:
            weights = np.ones(image_size)
        expected = (weights * pixels).sum() / weights.sum()
        assert abs(own[b, m] - expected) < 1e-5
        if shape[1] > 1 and kind != "cutmix_and_mixup":
            assert own[b, m] >= 0.5 - 1e-6
