"""Augmentations by name."""

from typing import TYPE_CHECKING

from keras_mixvit import augmentation
from keras_mixvit.augmentation import Augment
from keras_mixvit.data.sources._image_set import ImageSet

if TYPE_CHECKING:
    # A recipe asks here which names there are.
    from keras_mixvit.recipes._recipe import Recipe


def _crop(recipe):
    return augmentation.PadCrop(recipe.crop_padding)


def _resized_crop():
    return augmentation.RandomResizedCrop()


def _deit_crop(recipe, side):
    # DeiT pads and crops images of up to 32 pixels instead of resizing them.
    return _crop(recipe) if side <= 32 else _resized_crop()


def _flip():
    return augmentation.HorizontalFlip()


# From the recipe and the shorter side of its images to a list.
TABLE = {
    "none": lambda recipe, side: [],
    "flip": lambda recipe, side: [_flip()],
    "crop-flip": lambda recipe, side: [_crop(recipe), _flip()],
    "crop-flip-autoaugment": lambda recipe, side: [
        _crop(recipe),
        _flip(),
        augmentation.AutoAugment("cifar10"),
    ],
    "crop-flip-randaugment": lambda recipe, side: [
        _crop(recipe),
        _flip(),
        augmentation.RandAugment(),
    ],
    "deit": lambda recipe, side: [
        _deit_crop(recipe, side),
        _flip(),
        augmentation.RandAugment(),
    ],
    "imagenet-crop-flip": lambda recipe, side: [_resized_crop(), _flip()],
    "imagenet-autoaugment": lambda recipe, side: [
        _resized_crop(),
        _flip(),
        augmentation.AutoAugment("imagenet"),
    ],
    "augmix": lambda recipe, side: [_crop(recipe), _flip(), augmentation.AugMix()],
}


def augmentation_names() -> tuple[str, ...]:
    """The names that a recipe's `augmentation` may have.

    `"crop-flip"` pads, crops and mirrors, as for CIFAR; the others add
    AutoAugment of CIFAR, RandAugment or AugMix to that. `"imagenet-crop-flip"`
    crops and resizes, `"imagenet-autoaugment"` adds AutoAugment of ImageNet,
    `"deit"` RandAugment.

    Returns:
        Tuple of strings.

    Example:

    ```python
    assert "crop-flip" in augmentation_names()
    ```

    References:
        MixViT, Appendix H; MixMo, Section 6.4; DeiT.
    """
    return tuple(TABLE)


def augmentation_for(recipe: "Recipe", images: ImageSet) -> Augment | None:
    """The augmentation of a recipe, for a set of images.

    Args:
        recipe: `Recipe`.
        images: `ImageSet`, whose statistics are those of the noise of random
            erasing.

    Returns:
        An `Augment`, or `None` where nothing is augmented.

    Example:

    ```python
    recipe = Recipe(augmentation="crop-flip", crop_padding=1)
    augment = augmentation_for(recipe, load("digits"))
    assert len(augment.augmentations) == 2
    ```
    """
    steps = TABLE[recipe.augmentation](recipe, min(images.images.shape[1:3]))
    if recipe.random_erasing:
        mean, std = images.statistics()
        steps.append(
            augmentation.RandomErasing(recipe.random_erasing, tuple(mean), tuple(std))
        )
    return Augment(steps) if steps else None
