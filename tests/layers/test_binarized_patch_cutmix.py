import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_mixvit.layers import BinarizedPatchCutMix
from tests.helpers import images, numpy, one_hot_masks
from tests.layers.references import mixed_reference

IMAGES = images(3 * 2).reshape(3, 2, 8, 12, 3)


def pixel_masks(batch, members, seed=0):
    """One-hot masks of 8 x 12 pixels."""
    return one_hot_masks(batch, members, grid=(8, 12), seed=seed)


def patch_means(masks, patch_size=4):
    batch, members, height, width = masks.shape
    p = patch_size
    split = masks.reshape(batch, members, height // p, p, width // p, p)
    return split.mean(axis=(3, 5))


@pytest.mark.parametrize("binarize", [True, False])
def test_given_grid_masks_are_used_as_they_are(binarize):
    masks = np.random.default_rng(0).dirichlet((1, 1), (3, 2, 3))
    masks = masks.transpose(0, 3, 1, 2).astype("float32")
    layer = BinarizedPatchCutMix(patch_size=4, binarize=binarize)
    mixed, used = layer(IMAGES, masks)
    np.testing.assert_array_equal(numpy(used), masks)
    np.testing.assert_allclose(
        numpy(mixed), mixed_reference(IMAGES, masks), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("members", [2, 3])
def test_pixel_masks_give_a_patch_to_the_larger_mean(members):
    masks = pixel_masks(40, members)
    means = patch_means(masks)
    untied = (means == means.max(axis=1, keepdims=True)).sum(axis=1) == 1
    inputs = np.zeros((40, members, 8, 12, 1), "float32")
    _, used = BinarizedPatchCutMix(patch_size=4)(inputs, masks)
    used = numpy(used)
    assert used.shape == (40, members, 2, 3)
    np.testing.assert_array_equal(used.sum(axis=1), 1.0)
    assert 0.5 < untied.mean() < 1
    assert np.array_equal(used.argmax(axis=1)[untied], means.argmax(axis=1)[untied])


def test_a_majority_of_one_pixel_wins_in_half_precision():
    masks = np.zeros((1, 2, 32, 32), "float32")
    masks[:, 0, :, :16] = 1
    masks[:, 1, :, 16:] = 1
    masks[:, :, 0, 0] = 0, 1
    layer = BinarizedPatchCutMix(patch_size=32, dtype="mixed_bfloat16")
    _, used = layer(np.zeros((1, 2, 32, 32, 1), "float32"), masks, tie_source=0)
    assert numpy(used).ravel().tolist() == [0, 1]


def half_masks(batch, members, tied):
    """Pixel masks whose patches are halved between the two tied members."""
    masks = np.zeros((batch, members, 8, 12), "float32")
    masks[:, tied[0], :, ::2] = 1
    masks[:, tied[1], :, 1::2] = 1
    return masks


@pytest.mark.parametrize("members", [2, 3])
def test_ties_go_to_the_tie_source(members):
    inputs = np.zeros((4, members, 8, 12, 1), "float32")
    tied = (members - 2, members - 1)
    masks = half_masks(4, members, tied)
    layer = BinarizedPatchCutMix(patch_size=4)
    for source in tied:
        winners = numpy(layer(inputs, masks, tie_source=source)[1]).argmax(axis=1)
        np.testing.assert_array_equal(winners, source)
    sources = np.array([tied[1], tied[0], tied[0], tied[1]], "int32")
    tensor = ops.convert_to_tensor(sources)
    winners = numpy(layer(inputs, masks, tie_source=tensor)[1])
    np.testing.assert_array_equal(
        winners.argmax(axis=1), np.broadcast_to(sources[:, None, None], (4, 2, 3))
    )


def test_tie_source_gets_no_tie_that_it_has_no_part_in():
    inputs = np.zeros((1, 3, 8, 12, 1), "float32")
    masks = half_masks(1, 3, (0, 1))
    _, used = BinarizedPatchCutMix(patch_size=4)(inputs, masks, tie_source=2)
    assert numpy(used)[:, 2].max() == 0
    np.testing.assert_array_equal(numpy(used).sum(axis=1), 1.0)


def test_tie_source_leaves_clear_majorities_alone():
    masks = pixel_masks(40, 2)
    clear = patch_means(masks)[:, 0] != 0.5
    inputs = np.zeros((40, 2, 8, 12, 1), "float32")
    layer = BinarizedPatchCutMix(patch_size=4)
    first, second = (numpy(layer(inputs, masks, tie_source=i)[1])[:, 0] for i in (0, 1))
    np.testing.assert_array_equal(first[clear], second[clear])
    assert np.all(first[~clear] == 1)
    assert np.all(second[~clear] == 0)
    assert np.any(~clear)


def test_without_binarization_pixel_masks_are_averaged():
    masks = pixel_masks(3, 2)
    layer = BinarizedPatchCutMix(patch_size=4, binarize=False)
    mixed, used = layer(IMAGES, masks)
    np.testing.assert_allclose(numpy(used), patch_means(masks), atol=1e-6)
    np.testing.assert_allclose(
        numpy(mixed), mixed_reference(IMAGES, patch_means(masks)), rtol=1e-5, atol=1e-6
    )


def test_integer_images_are_mixed_as_floats():
    inputs = np.random.default_rng(0).integers(256, size=(3, 2, 8, 12, 3))
    masks = np.full((3, 2, 2, 3), 0.5, "float32")
    mixed, _ = BinarizedPatchCutMix(patch_size=4)(inputs.astype("uint8"), masks)
    assert keras.backend.standardize_dtype(mixed.dtype) == "float32"
    np.testing.assert_allclose(numpy(mixed), inputs.mean(axis=1), rtol=1e-6)


def test_layer_in_a_functional_model_is_saved_and_loaded(tmp_path):
    inputs = keras.Input((2, 8, 12, 3), name="images")
    masks = keras.Input((2, 8, 12), name="masks")
    layer = BinarizedPatchCutMix(patch_size=4, binarize=False, name="cutmix")
    mixed, used = layer(inputs, masks)
    outputs = [keras.layers.Dense(2)(keras.layers.Flatten()(mixed)), used]
    model = keras.Model([inputs, masks], outputs)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_layer("cutmix").get_config() == layer.get_config()
    x, given = IMAGES, pixel_masks(3, 2)
    for found, expected in zip(loaded([x, given]), model([x, given]), strict=True):
        np.testing.assert_allclose(numpy(found), numpy(expected), atol=1e-6)


def test_a_patch_size_out_of_range_is_refused():
    message = "`patch_size` must be an integer of at least 1. Received: patch_size=0"
    with pytest.raises(ValueError, match=re.escape(message)):
        BinarizedPatchCutMix(patch_size=0)


def test_configs_of_the_layer_that_drew_masks_are_read():
    config = BinarizedPatchCutMix(patch_size=4, name="cutmix").get_config()
    found = BinarizedPatchCutMix.from_config({**config, "alpha": 1.5, "seed": 2})
    assert found.get_config() == config


@pytest.mark.parametrize(
    ("patch_size", "shapes", "message"),
    [
        (
            4,
            [(3, 8, 12, 3), (3, 2, 2, 3)],
            "`images` must have shape (B, M, H, W, C). Received: shape=(3, 8, 12, 3)",
        ),
        (
            8,
            [(3, 2, 8, 12, 3), (3, 2, 1, 1)],
            "`patch_size` must divide the image size. "
            "Received: patch_size=8, image_size=(8, 12)",
        ),
        (
            4,
            [(3, 2, 8, 12, 3), (3, 2, 4, 6)],
            "`masks` must have shape (B, 2, 2, 3) or (B, 2, 8, 12). "
            "Received: shape=(3, 2, 4, 6)",
        ),
        (
            4,
            [(3, 2, 8, 12, 3), (3, 3, 2, 3)],
            "`masks` must have shape (B, 2, 2, 3) or (B, 2, 8, 12). "
            "Received: shape=(3, 3, 2, 3)",
        ),
    ],
)
def test_inputs_of_wrong_shape_are_refused(patch_size, shapes, message):
    layer = BinarizedPatchCutMix(patch_size)
    with pytest.raises(ValueError, match=re.escape(message)):
        layer(*(np.zeros(shape, "float32") for shape in shapes))


def test_tie_source_must_be_a_member():
    inputs = np.zeros((1, 2, 8, 12, 1), "float32")
    message = "`tie_source` must be in 0 to 1. Received: tie_source=2"
    with pytest.raises(ValueError, match=message):
        BinarizedPatchCutMix(patch_size=4)(
            inputs, half_masks(1, 2, (0, 1)), tie_source=2
        )


def test_masks_of_patches_of_one_pixel_are_used_as_they_are():
    masks = np.full((1, 2, 2, 3), 0.5, "float32")
    inputs = images(2, (2, 3, 1)).reshape(1, 2, 2, 3, 1)
    mixed, used = BinarizedPatchCutMix(patch_size=1)(inputs, masks)
    np.testing.assert_array_equal(numpy(used), masks)
    np.testing.assert_allclose(numpy(mixed), inputs.mean(axis=1), rtol=1e-6)
