"""Where images are augmented, mixed at once, and cut while they are read."""

from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.augmentation import (
    Augment,
    HorizontalFlip,
    KerasLayer,
    PadCrop,
    RandomErasing,
    RandomResizedCrop,
)
from keras_mixvit.data import ImageFolder, PixelMixing, mixed_pair_dataset
from keras_mixvit.data._image_pipeline import ImagePipeline
from keras_mixvit.data._pixel_mixing import pixel_shares
from keras_mixvit.masks import ConstantMasks, CutMixMasks, PatchCutMix
from tests.augmentation.pictures import pictures
from tests.helpers import numpy

CROP_FLIP = Augment([PadCrop(2), HorizontalFlip()])
FULL = Augment([PadCrop(2), HorizontalFlip(), RandomErasing(0.5)])


def pairs(augment=FULL, mixing=None, masks=None, count=24, **changes):
    options = {"epochs": 4, "batch_size": 8, "num_classes": 24, **changes}
    masks = masks or PatchCutMix(4)
    return mixed_pair_dataset(
        pictures(count, side=16),
        np.arange(count),
        masks,
        augment=augment,
        pixel_mixing=mixing,
        **options,
    )


@pytest.mark.parametrize("partners", ["dataset", "batch"])
@pytest.mark.parametrize("kind", ["cutmix", "mixup", "cutmix_and_mixup"])
def test_a_step_makes_the_images_that_the_pipeline_makes(kind, partners):
    mixing = PixelMixing(kind, 0.7, partners=partners)
    here = pairs(mixing=mixing)
    there = pairs(mixing=mixing, apply_on="device")
    (inputs, labels), (served, same_labels) = here.batch(1, 2), there.batch(1, 2)
    np.testing.assert_array_equal(labels, same_labels)
    np.testing.assert_array_equal(inputs["masks"], served["masks"])
    assert served["images"].dtype == np.uint8
    draws = keras.tree.map_structure(ops.convert_to_tensor, served["draws"])
    images = ops.convert_to_tensor(served["images"])
    found = numpy(there.pipeline.apply(images, draws, ops))
    np.testing.assert_allclose(found, inputs["images"], atol=1e-3)


def test_bytes_are_served_where_nothing_leaves_them():
    cutmix = PixelMixing("cutmix", 1.0)
    for augment, mixing, dtype in (
        (CROP_FLIP, None, "uint8"),
        (CROP_FLIP, cutmix, "uint8"),
        (FULL, cutmix, "float32"),
        (CROP_FLIP, PixelMixing("mixup"), "float32"),
    ):
        assert pairs(augment, mixing)[0][0]["images"].dtype == dtype


def test_both_at_once_has_v_around_the_box_and_the_rest_inside():
    mixing, rng = PixelMixing("cutmix_and_mixup", 1.0), np.random.default_rng(0)
    masks = np.ones((4000, 1, 8, 8), "float32")
    draws, own = mixing.draw(rng, (4000, 1), (32, 32), masks)
    inside, outside = draws["shares"][:, 0].T
    np.testing.assert_allclose(inside + outside, 1, atol=1e-6)
    # Of Beta(0.8, 0.8): variance 1 / (8 * 0.8 + 4).
    assert abs(outside.mean() - 0.5) < 0.02
    assert abs(outside.var() - 1 / (8 * 0.8 + 4)) < 0.005
    top, bottom, left, right = draws["box"][:, 0].T
    area = (bottom - top) * (right - left) / 32**2
    expected = inside * area + outside * (1 - area)
    np.testing.assert_allclose(own[:, 0], expected, atol=1e-6)
    assert area.std() > 0.1


def share_in_pixels(pixels, masks):
    """The share of `pixels` in what `masks`, one for each place, leave visible."""
    repeats = [pixels.shape[axis] // masks.shape[axis] for axis in (2, 3)]
    masks = masks.repeat(repeats[0], axis=2).repeat(repeats[1], axis=3)
    total = masks.sum(axis=(2, 3))
    return (pixels * masks).sum(axis=(2, 3)) / np.where(total > 0, total, np.nan)


@pytest.mark.parametrize("patch_size", [1, 4])
@pytest.mark.parametrize("kind", ["cutmix", "mixup", "cutmix_and_mixup"])
def test_shares_of_what_is_visible_are_counted_in_pixels(kind, patch_size):
    rng = np.random.default_rng(0)
    shape, size = (40, 3), (16, 24)
    grid = (size[0] // patch_size, size[1] // patch_size)
    masks = rng.dirichlet(np.ones(3), (40, *grid)).astype("float32")
    masks = np.moveaxis(masks, -1, 1)
    draws, own = PixelMixing(kind, 0.8).draw(rng, shape, size, masks)
    pixels = pixel_shares(**draws, image_size=size)
    np.testing.assert_allclose(own, share_in_pixels(pixels, masks), atol=1e-6)


@pytest.mark.parametrize("visible", [True, False])
def test_labels_follow_what_is_visible_or_the_whole_mask(visible):
    mixing = PixelMixing(
        "cutmix_and_mixup", 1.0, partners="batch", visible_share=visible
    )
    data = pairs(None, mixing, CutMixMasks(2), apply_on="device", count=24)
    inputs, labels = data[0]
    mixed = inputs["draws"]["mixing"]
    pixels = pixel_shares(**mixed, image_size=(16, 16))
    expected = pixels.mean(axis=(2, 3))
    if visible:
        seen = share_in_pixels(pixels, inputs["masks"])
        expected = np.where(np.isnan(seen), expected, seen)
    plain = pairs(None, None, CutMixMasks(2))[0][1]
    own = plain.argmax(axis=-1)
    partner = own[inputs["draws"]["partner"], [0, 1]]
    alone = own != partner
    found = np.take_along_axis(labels, own[..., None], -1)[..., 0]
    np.testing.assert_allclose(found[alone], expected[alone], atol=1e-6)
    np.testing.assert_allclose(labels.sum(axis=-1), 1, atol=1e-6)
    assert found[alone].min() < 0.5  # Nothing changes places.


def test_partners_of_the_batch_are_permuted_for_each_input_alike():
    data = pairs(CROP_FLIP, PixelMixing("mixup", 1.0, partners="batch"))
    draws = pairs(
        CROP_FLIP, PixelMixing("mixup", 1.0, partners="batch"), apply_on="device"
    )[0][0]["draws"]
    for member in range(2):
        assert sorted(draws["partner"][:, member]) == list(range(8))
    plain = pairs(CROP_FLIP)[0][0]["images"].astype("float32")
    share = draws["mixing"]["shares"][..., :1, None, None]
    others = plain[draws["partner"], [0, 1]]
    found = data[0][0]["images"]
    np.testing.assert_allclose(found, share * plain + (1 - share) * others, atol=1e-3)


@pytest.mark.parametrize("workers", [1, 3])
def test_batches_do_not_depend_on_workers_or_on_the_first_epoch(workers):
    mixing = PixelMixing("cutmix_and_mixup", 1.0, partners="batch")
    wanted = [pairs(mixing=mixing).batch(2, index) for index in range(3)]
    data = pairs(mixing=mixing, workers=workers)
    data.epoch = 2
    with ThreadPoolExecutor(workers) as pool:
        seen = list(pool.map(data.__getitem__, range(3)))
    for (inputs, labels), (expected, expected_labels) in zip(seen, wanted, strict=True):
        np.testing.assert_array_equal(inputs["images"], expected["images"])
        np.testing.assert_array_equal(labels, expected_labels)


class Originals:
    """Images of various sizes, cut while they are read."""

    varies, dtype, shape = True, np.dtype("uint8"), (6, 8, 8, 3)

    def __init__(self):
        self.boxes = []

    def __len__(self):
        return 6

    def read(self, indices, crop=None):
        sizes = [(20 + 4 * i, 30) for i in indices]
        if crop is not None:
            self.boxes += [crop(i, *size) for i, size in enumerate(sizes)]
        return np.full((len(indices), 8, 8, 3), 7, "uint8")


def test_images_of_various_sizes_are_cut_while_they_are_read():
    source, crop = Originals(), RandomResizedCrop(8)
    pipeline = ImagePipeline(source, np.arange(6), Augment([crop, HorizontalFlip()]))
    indices = np.arange(6).reshape(3, 2)
    images, _, draws = pipeline.batch(np.random.default_rng(0), indices, None)
    assert images.shape == (3, 2, 8, 8, 3)
    assert set(draws["augment"]) == {"0"}
    uniform = crop.uniform(np.random.default_rng(0), 6)
    expected = [crop.boxes(uniform[i : i + 1], 20 + 4 * i, 30)[0] for i in range(6)]
    np.testing.assert_array_equal(source.boxes, expected)


def test_a_folder_of_files_is_trained_from_as_it_is(tmp_path):
    for i in range(8):
        picture = np.full((20 + i, 30, 3), 30 * i, "uint8")
        keras.utils.save_img(tmp_path / f"{i}.png", picture, scale=False)
    folder = ImageFolder(tmp_path, image_size=(8, 8))
    augment = Augment([RandomResizedCrop(), HorizontalFlip()])
    data = mixed_pair_dataset(
        folder, np.arange(8), PatchCutMix(4), epochs=1, batch_size=4, augment=augment
    )
    inputs, labels = data[1]
    assert inputs["images"].shape == (4, 2, 8, 8, 3)
    expected = 30 * labels[..., None, None, None] + np.zeros((8, 8, 3))
    np.testing.assert_array_equal(inputs["images"], expected)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"apply_on": "gpu"}, "`apply_on` must be one of 'pipeline', 'device'."),
        (
            {"augment": None, "apply_on": "device", "keep_on_device": False},
            "`apply_on` must be 'pipeline' if images are neither augmented, nor",
        ),
        (
            {
                "augment": Augment([KerasLayer(keras.layers.RandomFlip())]),
                "apply_on": "device",
            },
            "`apply_on` must be 'pipeline' with an augmentation that cannot run in",
        ),
    ],
)
def test_what_cannot_run_on_a_device_is_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        pairs(**changes)


def test_only_the_kinds_of_partners_that_there_are_are_taken():
    message = "`partners` must be one of 'dataset', 'batch'. Received: partners='me'"
    with pytest.raises(ValueError, match=message):
        PixelMixing(partners="me")
    with pytest.raises(ValueError, match="`mixup_alpha` must be a positive finite"):
        PixelMixing(mixup_alpha=0)
    with pytest.raises(ValueError, match="`mixup_alpha` must not be set without"):
        PixelMixing("mixup", mixup_alpha=0.5)


def test_one_input_is_mixed_at_once_too():
    mixing = PixelMixing("cutmix_and_mixup", 1.0, partners="batch")
    inputs, labels = pairs(FULL, mixing, ConstantMasks(1, 1))[0]
    assert inputs["images"].shape == (8, 1, 16, 16, 3)
    assert ((labels > 0).sum(axis=-1) <= 2).all()
