"""Boxes by the published laws, and bicubic resizing against Pillow."""

import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.augmentation import Augment, PadCrop, RandomResizedCrop
from tests.augmentation.pictures import pictures
from tests.helpers import numpy


def rng(seed=0):
    return np.random.default_rng(seed)


def test_boxes_follow_the_published_laws():
    crop, (height, width) = RandomResizedCrop(32), (80, 120)
    box = crop.boxes(crop.uniform(rng(), 20_000), height, width)
    top, left, heights, widths = box.T
    assert (box[:, :2] >= 0).all()
    assert (top + heights <= height).all()
    assert (left + widths <= width).all()
    share = heights * widths / (height * width)
    assert 0.075 < share.min() < 0.09
    # No larger box fits this image at an aspect ratio of at most 4/3.
    assert 0.85 < share.max() <= 107 / 120
    small = share < 0.5
    aspect = np.log(widths / heights)
    assert abs(aspect[small].mean()) < 0.01
    assert np.abs(aspect[small]).max() < np.log(4 / 3) + 0.06
    # Uniform below the shares that may not fit.
    assert abs(np.median(share[small]) - (0.08 + 0.5) / 2) < 0.01
    room = (height - heights + 1) * 1.0
    assert abs(np.mean((top + 0.5) / room) - 0.5) < 0.01


def test_an_image_in_which_no_box_fits_is_cut_in_the_middle():
    crop = RandomResizedCrop(8, scale=(1.0, 1.0))
    box = crop.boxes(crop.uniform(rng(), 3), 10, 40)
    # The height of the image, and 4/3 of it in width.
    np.testing.assert_array_equal(box, [[0, 13, 10, 13]] * 3)


@pytest.mark.parametrize("size", [(48, 48), (20, 70), (64, 64)])
def test_boxes_are_resized_as_pillow_does(size):
    image_module = pytest.importorskip("PIL.Image")
    images, crop = pictures(8, side=64), RandomResizedCrop(size)
    box = crop.draw(rng(), 8, images.shape[1:])["box"]
    found = crop.apply(images, {"box": box})
    for image, (top, left, height, width), result in zip(
        images, box.astype(int).tolist(), found, strict=True
    ):
        picture = image_module.fromarray(image)
        picture = picture.crop((left, top, left + width, top + height))
        # Columns first: Pillow chooses the order.
        for shape in ((size[1], height), size[::-1]):
            picture = picture.resize(shape, image_module.Resampling.BICUBIC)
        np.testing.assert_allclose(result, np.asarray(picture, int), atol=1)
        assert (result == np.asarray(picture)).mean() > 0.99


def test_tensors_are_resized_as_arrays_are():
    images, crop = pictures(3, side=12), RandomResizedCrop((6, 9))
    draws = crop.draw(rng(), 3, images.shape[1:])
    tensors = keras.tree.map_structure(ops.convert_to_tensor, draws)
    floats = ops.convert_to_tensor(images.astype("float32"))
    found = numpy(crop.apply(floats, tensors, ops))
    np.testing.assert_allclose(found, crop.apply(images, draws), atol=1)


def test_what_follows_sees_the_new_size():
    augment = Augment([RandomResizedCrop((16, 8)), PadCrop(2)])
    assert augment.output_shape((12, 12, 3)) == (16, 8, 3)
    found = augment(rng(), pictures(4, side=12))
    assert found.shape == (4, 16, 8, 3)
    assert found.dtype == np.uint8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"size": 0}, "`size` must be an integer of at least 1."),
        ({"size": (8, 8, 3)}, "`size` must be (H, W)."),
        ({"scale": (0.0, 1.0)}, "`scale` must be in (0, 1]."),
        ({"scale": (0.5, 0.2)}, "`scale` must be in (0, 1]."),
        ({"aspect": (2, 1)}, "`aspect` must be two positive numbers, the smaller"),
    ],
)
def test_wrong_options_are_refused(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        RandomResizedCrop(**options)
