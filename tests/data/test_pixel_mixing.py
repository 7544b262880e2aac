"""CutMix and MixUp in pixels: what is in the images and what labels say of it."""

import numpy as np
import pytest

from keras_mixvit.augmentation import (
    Augment,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandomErasing,
)
from keras_mixvit.data import PixelMixing, mixed_pair_dataset
from keras_mixvit.masks import ConstantMasks, CutMixMasks, LinearMasks
from tests.data.pairs import Wrong, indices, numbered, pairs, same

COUNT = 40


ONE = ConstantMasks(2, num_subnetworks=1)


# Every image of every sample is mixed.
ALWAYS = PixelMixing(probability=1.0)


CASES = {
    "single": ONE,
    "boxes": CutMixMasks(1),
    "boxes of patches": CutMixMasks(2, alpha=0.3),
    "linear": LinearMasks(2),
    "three inputs": CutMixMasks(2, 3),
}


def mixed(masks=ONE, pixel_mixing=ALWAYS, shape=(12, 8, 1), **changes):
    options = {"batch_size": 20, "num_classes": COUNT, "epochs": 6, **changes}
    x = numbered(COUNT, shape)
    return pairs(
        x=x, y=np.arange(COUNT), masks=masks, pixel_mixing=pixel_mixing, **options
    )


def batches(masks, pixel_mixing=ALWAYS, **changes):
    """Own images, pixels, masks and labels of many batches.

    Without pixel mixing the same seed gives the same pairs and masks, which
    tells what the own image of each input is.
    """
    plain = mixed(masks, None, **changes)
    mixture = mixed(masks, pixel_mixing, **changes)
    for epoch in range(6):
        for index in range(2):
            before, _ = plain.batch(epoch, index)
            inputs, labels = mixture.batch(epoch, index)
            np.testing.assert_array_equal(before["masks"], inputs["masks"])
            yield indices(before), inputs["images"][..., 0], inputs["masks"], labels


def share_of(labels, own):
    """What labels say of the class of the own image."""
    return np.take_along_axis(labels, own[..., None], -1)[..., 0]


def box_of(inside):
    """First and last row and column, if the pixels are a filled box."""
    rows, columns = np.nonzero(inside.any(axis=1))[0], np.nonzero(inside.any(axis=0))[0]
    top, bottom, left, right = rows[0], rows[-1] + 1, columns[0], columns[-1] + 1
    return (top, bottom, left, right) if inside[top:bottom, left:right].all() else None


def is_clipped_box(inside):
    """Whether pixels are an even box, or one that the border clips."""
    if not inside.any():
        return True
    box = box_of(inside)
    if box is None:
        return False
    for low, high, side in zip(box[::2], box[1::2], inside.shape, strict=True):
        if (high - low) % 2 and low > 0 and high < side:
            return False
    return True


@pytest.mark.parametrize("masks", CASES.values(), ids=CASES)
def test_one_image_is_in_a_box_and_the_other_around_it(masks):
    for own, images, _, labels in batches(masks):
        for place in np.ndindex(*own.shape):
            is_own = images[place] == own[place]
            values = set(np.unique(images[place])) | {own[place]}
            assert len(values) <= 2
            boxes = (is_clipped_box(is_own), is_clipped_box(~is_own))
            # A single network has its own image in the box.
            assert boxes[0] if own.shape[1] == 1 else any(boxes)
            assert set(np.nonzero(labels[place])[0]) <= values


@pytest.mark.parametrize("masks", CASES.values(), ids=CASES)
def test_labels_have_the_share_that_the_masks_leave_visible(masks):
    size, shares = masks.patch_size, []
    for own, images, grids, labels in batches(masks):
        is_own = images == own[..., None, None]
        for place in np.ndindex(*own.shape):
            visible = whole = 0.0
            for row, column in np.ndindex(*images.shape[2:]):
                weight = float(grids[place][row // size, column // size])
                visible += weight * is_own[place][row, column]
                whole += weight
            if whole:
                shares.append((share_of(labels, own)[place], visible / whole))
        np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-6)
    found, expected = np.transpose(shares)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    # Shares that hardly differ would say little.
    assert np.std(found) > 0.1


@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
@pytest.mark.parametrize("masks", list(CASES.values())[1:], ids=list(CASES)[1:])
def test_with_several_inputs_the_own_image_is_predominant(masks, kind):
    found = [
        share_of(labels, own)
        for own, *_, labels in batches(masks, PixelMixing(kind, 1.0))
    ]
    assert np.min(found) >= 0.5 - 1e-6
    assert np.max(found) <= 1
    assert np.mean(found) < 0.95


@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_with_one_input_images_do_not_change_places(kind):
    found, areas = [], []
    for own, images, _, labels in batches(ONE, PixelMixing(kind, 1.0)):
        found.append(share_of(labels, own))
        areas.append(np.mean(images == own[..., None, None], axis=(2, 3)))
    assert np.mean(np.concatenate(found) < 0.5) > 0.3
    if kind == "cutmix":
        np.testing.assert_allclose(found, areas, atol=1e-6)


def test_linear_masks_leave_the_share_of_the_pixels():
    for own, images, _, labels in batches(LinearMasks(2, 3)):
        area = np.mean(images == own[..., None, None], axis=(2, 3))
        np.testing.assert_allclose(share_of(labels, own), area, atol=1e-6)


@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_an_input_that_is_wholly_hidden_has_the_share_of_its_pixels(kind):
    masks = np.zeros((8, 2, 2, 3), "float32")
    masks[:, 1] = 1
    dataset = pairs(
        masks=Wrong(masks), num_classes=24, pixel_mixing=PixelMixing(kind, 1.0)
    )
    plain = pairs(masks=Wrong(masks))
    for index in range(3):
        inputs, labels = dataset[index]
        own = indices(plain[index][0])
        assert np.all(np.isfinite(labels))
        np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-6)
        share = share_of(labels, own)[:, 0]
        assert np.all(share >= 0.5 - 1e-6)
        if kind == "cutmix":
            is_own = inputs["images"][:, 0] == own[:, 0, None, None, None]
            np.testing.assert_allclose(share, is_own.mean(axis=(1, 2, 3)), atol=1e-6)


@pytest.mark.parametrize("masks", [ONE, LinearMasks(2)], ids=["one", "two"])
def test_mixup_interpolates_pixels_as_labels(masks):
    for own, images, _, labels in batches(masks, PixelMixing("mixup", 1.0)):
        assert np.all(images == images[:, :, :1, :1])
        value = images[:, :, 0, 0]
        np.testing.assert_allclose(value, labels @ np.arange(COUNT), atol=1e-4)
        np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-6)
        assert np.all(np.count_nonzero(labels, axis=-1) <= 2)
        assert np.all(share_of(labels, own) > 0)


@pytest.mark.parametrize(
    ("kind", "given", "served"),
    [
        ("cutmix", "uint8", "uint8"),
        ("cutmix", "float64", "float32"),
        ("cutmix", "float16", "float32"),
        ("mixup", "uint8", "float32"),
        ("mixup", "uint16", "float32"),
        ("mixup", "float64", "float32"),
    ],
)
def test_cutmix_keeps_the_dtype_of_images_and_mixup_has_floats(kind, given, served):
    changes = {"num_classes": 24, "pixel_mixing": PixelMixing(kind)}
    inputs, labels = pairs(x=numbered(24, dtype=given), **changes)[0]
    assert inputs["images"].dtype == served
    assert labels.dtype == "float32"
    expected, _ = pairs(**changes)[0]
    np.testing.assert_allclose(inputs["images"], expected["images"], rtol=1e-6)


@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_soft_labels_are_mixed(kind):
    soft = np.random.default_rng(0).dirichlet(np.ones(5), COUNT)
    options = {"y": soft, "masks": LinearMasks(2), "batch_size": 20}
    x, mixing = numbered(COUNT, (4, 4, 1)), PixelMixing(kind, 1.0)
    _, labels = pairs(x=x, **options, pixel_mixing=mixing)[0]
    # One-hot labels of the images tell who was mixed with whom.
    options["y"] = np.eye(COUNT)
    _, known = pairs(x=x, **options, pixel_mixing=mixing)[0]
    assert labels.shape == (20, 2, 5)
    np.testing.assert_allclose(labels, known @ soft, atol=1e-6)


@pytest.mark.parametrize("order", ["random", "by_ratio"])
def test_mixed_images_and_labels_change_places_with_their_masks(order):
    masks, mixing = LinearMasks(2), PixelMixing("mixup", 1.0)
    drawn, changed = mixed(masks, mixing), mixed(masks, mixing, input_order=order)
    moved = 0
    for index in range(2):
        (before, _), (after, new) = drawn[index], changed[index]
        owners = indices(mixed(masks, None)[index][0])
        np.testing.assert_allclose(
            after["images"][:, :, 0, 0, 0], new @ np.arange(COUNT), atol=1e-4
        )
        for sample in range(20):
            same_place = np.array_equal(before["masks"][sample], after["masks"][sample])
            step = 1 if same_place else -1
            # Own images move with their masks; partners are drawn for places.
            np.testing.assert_array_equal(
                after["masks"][sample], before["masks"][sample, ::step]
            )
            assert np.all(new[sample, np.arange(2), owners[sample, ::step]] > 0)
            moved += not same_place
    assert moved > 0


def test_repeated_images_are_mixed_each_on_its_own():
    dataset = mixed(LinearMasks(2), PixelMixing("mixup", 1.0), repetitions=10)
    _, labels = dataset[0]
    assert len({row.tobytes() for row in labels.reshape(-1, COUNT)}) > 30


@pytest.mark.parametrize("kind", ["cutmix", "mixup"])
def test_mixing_is_a_function_of_seed_epoch_and_batch(kind):
    def dataset(seed=0):
        return mixed(CutMixMasks(2), PixelMixing(kind), seed=seed)

    used = dataset()
    used.batch(0, 0)
    assert same(used.batch(2, 1), dataset().batch(2, 1))
    for other in (used.batch(2, 0), used.batch(1, 1), dataset(1).batch(2, 1)):
        assert not same(used.batch(2, 1), other)


def test_the_caller_keeps_his_images():
    x = numbered(24, dtype="uint8")
    before = x.copy()
    dataset = pairs(x=x, num_classes=24, pixel_mixing=ALWAYS)
    dataset[0][0]["images"][:] = 99
    np.testing.assert_array_equal(x, before)


def test_a_batch_without_partners_is_as_it_was():
    x = np.random.default_rng(0).integers(256, size=(8, 8, 8, 1)).astype("uint8")
    augment = Augment([PadCrop(1), HorizontalFlip(), AutoAugment(), RandomErasing()])
    arguments = {"epochs": 1, "batch_size": 8, "num_classes": 8, "augment": augment}
    plain, labels = mixed_pair_dataset(x, np.arange(8), CutMixMasks(), **arguments)[0]
    for kind in ("cutmix", "mixup"):
        mixing = PixelMixing(kind, probability=0.0)
        data = mixed_pair_dataset(
            x, np.arange(8), CutMixMasks(), pixel_mixing=mixing, **arguments
        )
        inputs, soft = data[0]
        np.testing.assert_array_equal(inputs["images"], plain["images"])
        np.testing.assert_array_equal(soft, labels)
