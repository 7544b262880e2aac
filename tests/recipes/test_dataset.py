"""What the data of a recipe is made of."""

import numpy as np
import pytest

from keras_mixvit import augmentation
from keras_mixvit.backbones import ConViT, WideResNet
from keras_mixvit.data import ImageSet, PixelMixing
from keras_mixvit.data.sources._image_array import ImageArray
from keras_mixvit.masks import (
    BinaryOrLinear,
    ConcatenationMasks,
    CowMasks,
    CutMixMasks,
    FMixMasks,
    LinearMasks,
    PatchCutMix,
    PatchUpMasks,
)
from keras_mixvit.models import MixMo, MixViT
from keras_mixvit.recipes import (
    Recipe,
    augmentation_for,
    augmentation_names,
    dataset_for,
    recipes,
)
from keras_mixvit.recipes import recipe as recipe_by_name
from keras_mixvit.recipes._data_share import share_of
from keras_mixvit.recipes._dataset import pixel_mixing_for
from keras_mixvit.recipes._mixing import masks_for
from tests.helpers import unallocated


def masks_of(recipe, model):
    return masks_for(recipe.method.name, recipe.mixing, model)


@pytest.fixture(scope="module")
def networks():
    def made():
        wide = WideResNet((8, 8, 1), depth=10, widening=1)
        convit = ConViT((8, 8, 1), 4, 8, 2, 1, 1)
        return {
            "wideresnet": MixMo(wide, 3),
            "convit": MixMo(convit, 3),
            "mixvit": MixViT(ConViT((8, 8, 1), 4, 8, 2, 1, 1), 3),
        }

    return unallocated(made)


@pytest.mark.parametrize(
    ("masks", "expected"),
    [
        ("cutmix", CutMixMasks()),
        ("patch_cutmix", PatchCutMix(1, 2, 2.0, single_source_ramp=False)),
        ("horizontal_concatenation", ConcatenationMasks(direction="horizontal")),
        ("vertical_concatenation", ConcatenationMasks(direction="vertical")),
        ("patchup", PatchUpMasks()),
        ("fmix", FMixMasks()),
        ("cowmask", CowMasks()),
    ],
)
def test_every_family_of_masks_has_a_name(masks, expected, networks):
    recipe = Recipe(method="cut_mixmo", backbone="wide_resnet", mixing={"masks": masks})
    found = masks_of(recipe, networks["wideresnet"])
    assert found == BinaryOrLinear(expected, LinearMasks(), 0.5)
    always = recipe.with_settings({"mixing.always_binary": True})
    always = masks_of(always, networks["wideresnet"])
    assert always == expected


def test_other_masks_are_refused(networks):
    recipe = Recipe(method="cut_mixmo", backbone="wide_resnet", mixing={"masks": "box"})
    text = r"`mixing\.masks` must be one of 'cutmix', 'patch_cutmix', .* Received: mix"
    with pytest.raises(ValueError, match=text):
        masks_of(recipe, networks["wideresnet"])


def test_options_of_masks_reach_them(networks):
    recipe = Recipe(
        method={"name": "cut_mixmo", "num_subnetworks": 3},
        backbone="wide_resnet",
        mixing={"masks": "fmix", "alpha": 0.5, "several": "two", "probability": 0.25},
    )
    expected = BinaryOrLinear(
        FMixMasks(alpha=0.5, mixing="two"), LinearMasks(alpha=0.5), 0.25
    )
    assert masks_of(recipe, networks["wideresnet"]) == expected


def test_masks_of_transformers_are_of_whole_patches(networks):
    recipe = Recipe(
        method="cut_mixmo", backbone="convit", mixing={"always_binary": True}
    )
    expected = PatchCutMix(4, 2, 2.0, single_source_ramp=False)
    assert masks_of(recipe, networks["convit"]) == expected
    recipe = Recipe(mixing={"owner_per": "sample", "alpha": 1.0})
    expected = PatchCutMix(4, 2, 1.0, owner_per="sample")
    assert masks_of(recipe, networks["mixvit"]) == expected


def image_set(side=8, channels=3, count=40):
    images = np.arange(count * side * side * channels) % 256
    images = images.reshape(count, side, side, channels).astype("uint8")
    return ImageSet(images, np.arange(count) % 4, tuple("abcd"))


CROP, FLIP = augmentation.PadCrop(3), augmentation.HorizontalFlip()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("flip", (FLIP,)),
        ("crop_flip", (CROP, FLIP)),
        (
            "crop_flip_autoaugment",
            (CROP, FLIP, augmentation.AutoAugment("cifar10")),
        ),
        ("crop_flip_randaugment", (CROP, FLIP, augmentation.RandAugment())),
        ("deit", (CROP, FLIP, augmentation.RandAugment())),
        ("augmix", (CROP, FLIP, augmentation.AugMix())),
        ("imagenet_crop_flip", (augmentation.RandomResizedCrop(), FLIP)),
        (
            "imagenet_autoaugment",
            (
                augmentation.RandomResizedCrop(),
                FLIP,
                augmentation.AutoAugment("imagenet"),
            ),
        ),
    ],
)
def test_augmentations_are_made_by_their_names(name, expected):
    padding = {"crop_padding": 3} if CROP in expected else {}
    recipe = Recipe(augmentation={"name": name, **padding})
    assert augmentation_for(recipe, image_set()).augmentations == expected


def test_deit_resizes_crops_of_larger_images():
    recipe = Recipe(augmentation="deit")
    crop = augmentation_for(recipe, image_set(36, count=4)).augmentations[0]
    assert crop == augmentation.RandomResizedCrop()


def test_erasing_has_noise_of_the_statistics_of_the_images():
    images = image_set()
    mean, std = images.statistics()
    (erasing,) = augmentation_for(
        Recipe(augmentation={"random_erasing": 0.5}), images
    ).augmentations
    expected = augmentation.RandomErasing(0.5, tuple(mean), tuple(std))
    assert erasing == expected


def test_without_augmentation_there_is_none():
    assert augmentation_for(Recipe(), image_set()) is None
    assert augmentation_names()[0] == "none"


def test_mixing_in_pixels_has_the_options_that_are_given():
    assert pixel_mixing_for(Recipe()) is None
    recipe = Recipe(pixel_mixing={"name": "mixup", "probability": 0.25, "alpha": 0.5})
    assert pixel_mixing_for(recipe) == PixelMixing("mixup", 0.25, 0.5)
    recipe = Recipe(
        method="single", pixel_mixing={"name": "cutmix", "probability": 1.0}
    )
    assert pixel_mixing_for(recipe) == PixelMixing("cutmix", 1.0)
    found = pixel_mixing_for(recipe_by_name("mixvit-convit"))
    assert found == PixelMixing("cutmix_and_mixup", 1.0, 1.0, 0.8, "batch", True)
    recipe = Recipe(pixel_mixing={"name": "cutmix_and_mixup", "mixup_alpha": 0.5})
    recipe = recipe.with_settings({"pixel_mixing.visible_share": False})
    expected = PixelMixing("cutmix_and_mixup", mixup_alpha=0.5, visible_share=False)
    assert pixel_mixing_for(recipe) == expected


def test_images_can_be_augmented_on_the_device(networks):
    recipe = Recipe(
        augmentation="flip",
        pairs={"apply_on": "device"},
        batch_size=8,
        backbone={"patch_size": 4},
    )
    dataset = dataset_for(recipe, networks["mixvit"], image_set(count=8))
    assert "draws" in dataset[0][0]


@pytest.mark.parametrize("name", sorted({r.augmentation.name for r in recipes()}))
def test_augmentations_of_all_recipes_run(name):
    augment = augmentation_for(Recipe(augmentation=name), image_set(16, count=4))
    if name == "none":
        assert augment is None
    else:
        images = augment(np.random.default_rng(0), image_set(16, count=4).images)
        assert images.shape == (4, 16, 16, 3)


@pytest.mark.parametrize("is_source", [False, True])
def test_a_share_of_the_images_has_all_classes(is_source):
    images = image_set()
    if is_source:
        source = ImageArray(images.images, (8, 8))
        images = ImageSet(source, images.labels, images.class_names)
    part = share_of(images, 0.2)
    assert np.bincount(part.labels).tolist() == [2, 2, 2, 2]
    assert part.images[:].shape == (8, 8, 8, 3)
    assert share_of(images, 1.0) is images
    assert len(share_of(images, 0.01).labels) == 4
    again = share_of(images, 0.2)
    np.testing.assert_array_equal(part.images[:], again.images[:])
    whole = np.asarray(images.images[:])
    for image, label in zip(part.images[:], part.labels, strict=True):
        same = (whole == image).all(axis=(1, 2, 3))
        assert label in images.labels[same]
