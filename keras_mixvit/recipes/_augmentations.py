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

# DeiT pads and crops images of up to 32 pixels instead of resizing them.
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


# Each takes the shorter side of the images and the options of the recipe.
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
    """The names that a recipe's `augmentation` may have.

    `"crop_flip"` pads, crops and mirrors, as for CIFAR; the others add
    AutoAugment of CIFAR, RandAugment or AugMix to that. `"imagenet_crop_flip"`
    crops and resizes, `"imagenet_autoaugment"` adds AutoAugment of ImageNet,
    `"deit"` RandAugment. Those that pad take the option `crop_padding`, and all
    take `random_erasing`, the share of images that lose a box.

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
