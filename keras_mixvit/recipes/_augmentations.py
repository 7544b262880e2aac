"""Augmentations by name."""

from collections.abc import Callable

from keras_mixvit.augmentation import (
    Augmentation,
    AugMix,
    AutoAugment,
    HorizontalFlip,
    PadCrop,
    RandAugment,
    RandomResizedCrop,
)

# DeiT pads and crops images of up to 32 pixels; it does not resize them.
DEIT_SIDE = 32


def _none(side: int) -> list[Augmentation]:
    return []


def _flip(side: int) -> list[Augmentation]:
    return [HorizontalFlip()]


def _crop_flip(side: int, crop_padding: int = 4) -> list[Augmentation]:
    return [PadCrop(crop_padding), HorizontalFlip()]


def _crop_flip_autoaugment(side: int, crop_padding: int = 4) -> list[Augmentation]:
    return [*_crop_flip(side, crop_padding), AutoAugment("cifar10")]


def _crop_flip_randaugment(side: int, crop_padding: int = 4) -> list[Augmentation]:
    return [*_crop_flip(side, crop_padding), RandAugment()]


def _augmix(side: int, crop_padding: int = 4) -> list[Augmentation]:
    return [*_crop_flip(side, crop_padding), AugMix()]


def _deit(side: int, crop_padding: int = 4) -> list[Augmentation]:
    if side <= DEIT_SIDE:
        return _crop_flip_randaugment(side, crop_padding)
    return [RandomResizedCrop(), HorizontalFlip(), RandAugment()]


def _imagenet_crop_flip(side: int) -> list[Augmentation]:
    return [RandomResizedCrop(), HorizontalFlip()]


def _imagenet_autoaugment(side: int) -> list[Augmentation]:
    return [*_imagenet_crop_flip(side), AutoAugment("imagenet")]


# Each function takes the shorter side of the images and the options of the recipe.
AUGMENTATIONS: dict[str, Callable[..., list[Augmentation]]] = {
    "none": _none,
    "flip": _flip,
    "crop_flip": _crop_flip,
    "crop_flip_autoaugment": _crop_flip_autoaugment,
    "crop_flip_randaugment": _crop_flip_randaugment,
    "deit": _deit,
    "imagenet_crop_flip": _imagenet_crop_flip,
    "imagenet_autoaugment": _imagenet_autoaugment,
    "augmix": _augmix,
}


def augmentation_names() -> tuple[str, ...]:
    """The names of augmentations, for the `augmentation` of a recipe.

    `"crop_flip"` pads, crops and mirrors, as is usual for CIFAR; others add AutoAugment
    of CIFAR, RandAugment or AugMix to that. `"imagenet_crop_flip"` crops and resizes;
    `"imagenet_autoaugment"` adds AutoAugment of ImageNet, and `"deit"` adds
    RandAugment. Augmentations that pad have the option `crop_padding`, and all have
    `random_erasing`, the share of images from which a box is erased.

    Returns:
        Tuple of strings.

    Example:

    ```python
    assert "crop_flip" in augmentation_names()
    ```

    References:
        MixViT, Appendix H; MixMo, Section 6.4; DeiT.
    """
    return tuple(AUGMENTATIONS)
