import math
from collections.abc import Collection, Sequence

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._data_facts import FACTS
from keras_mixvit.recipes._model import default_patch_size
from keras_mixvit.recipes._papers import stored_recipes
from keras_mixvit.recipes._recipe import Recipe

# From this shorter side of an image: the residual network with the right stem, and
# whether images are cropped and resized like those of ImageNet.
PREACT_SIDE, RESNET_SIDE, IMAGENET_SIDE = 49, 113, 129
# Width for the same number of parameters, relative to that of a WRN-28.
RELATIVE_WIDTH = {"wide_resnet": 1.0, "preact_resnet": 5.5, "resnet": 5.5}
SMALL_CROPS = {
    "imagenet_crop_flip": "crop_flip",
    "imagenet_autoaugment": "crop_flip_autoaugment",
}
LARGE_CROPS = {small: large for large, small in SMALL_CROPS.items()}
PADDED = ("crop_flip", "crop_flip_autoaugment", "crop_flip_randaugment", "augmix")
FEW_STEPS = 10
# The longest guessed side. Recipes for large images say theirs.
LONGEST_SIDE = 64


def adapt(recipe: Recipe, images: ImageSet) -> tuple[Recipe, list[str]]:
    """Adapts a recipe to images of another size, number or kind.

    Classes and channels always follow the images. It changes the protocol, to validate
    on other images than the test images; the size of patches, to keep about the same
    number; the kind of residual network, to get a stem for the size of the images; the
    crop; and the batch size, if there are too few images.

    Args:
        recipe: `Recipe`, a named one or a changed one: its name says which images it
            was for.
        images: `ImageSet` to train on, as loaded.

    Returns:
        The `Recipe` for these images, without published results, and a list of
        sentences about its choices. Those that begin with `"Guess: "` may well be
        wrong.

    Raises:
        ValueError: If no network of the recipe takes images of that size.

    Example:

    ```python
    mine, remarks = adapt(recipe("mixvit-convit"), load("digits"))
    assert mine.backbone.options["patch_size"] == 2
    print(*remarks, sep="\\n")
    ```

    References:
        MixViT, Appendix H; MixMo, Sections 4.5, 6.4 and 6.9.
    """
    return adapted_to(recipe, images, ())


def adapted_to(
    recipe: Recipe, images: ImageSet, kept: Collection[str]
) -> tuple[Recipe, list[str]]:
    """The results of `adapt`, which changes no option that you set yourself.

    Args:
        recipe: `Recipe`.
        images: `ImageSet`.
        kept: Names of the options that you set.
    """
    _, height, width, channels = images.images.shape
    own = (images.images.shape[1:], images.num_classes)
    (old_height, old_width, old_channels), old_classes = FACTS.get(
        _original_data(recipe), own
    )
    remarks = []
    if (channels, images.num_classes) != (old_channels, old_classes):
        remarks.append(
            f"The network has {channels} input channels and {images.num_classes} "
            f"classes, instead of {old_channels} and {old_classes}."
        )
    side, old_side = min(height, width), min(old_height, old_width)
    changes = {}
    if recipe.preset:
        pass  # The weights decide stem and patches.
    elif recipe.is_residual:
        if not {"backbone", "backbone.name"} & set(kept):
            changes |= _residual(recipe, height, width, remarks)
    elif "backbone.patch_size" not in kept:
        changes |= _patches(recipe, height, width, old_side, remarks)
    is_other = (height, width, channels, images.num_classes) != (
        *(old_height, old_width, old_channels),
        old_classes,
    )
    if not {"augmentation", "augmentation.name"} & set(kept):
        changes |= _augmentation(recipe, images, (side, old_side), is_other, remarks)
    if "batch_size" not in kept:
        changes |= _batch(recipe, len(images.labels), remarks)
    if recipe.data.protocol == "paper" and "data.protocol" not in kept:
        changes["data.protocol"] = "validation"
        remarks.append(
            "The protocol is 'validation': the validation images choose the best "
            "epoch, not the test images."
        )
    return recipe.with_settings(changes), remarks


def size_for(sizes: Sequence[tuple[int, int]]) -> int:
    """A side in pixels, a multiple of 8, to which images of several sizes are resized.

    It is at most their median shorter side, and at most 64.

    Args:
        sizes: Sequence of (H, W).
    """
    usual = float(np.median([min(size) for size in sizes]))
    return max(8, int(min(usual, LONGEST_SIDE)) // 8 * 8)


def _original_data(recipe):
    """The data set that a recipe was written for, not the one to train on."""
    if recipe.data.name in FACTS:
        return recipe.data.name
    named = stored_recipes().get(recipe.name)
    return named and named["data"]["name"]


def _patches(recipe, height, width, old_side, remarks):
    side = min(height, width)
    given = recipe.backbone.options.get("patch_size")
    old = given or default_patch_size((old_side, old_side, 1))
    wanted = max(1.0, side * old / old_side)
    common = math.gcd(height, width)
    fitting = [size for size in range(1, common + 1) if common % size == 0]
    # A patch of one pixel is the last resort.
    fitting = [size for size in fitting if 1 < size <= side // 2] or [1]
    size = min(fitting, key=lambda s: (abs(math.log(s / wanted)), s))
    places = (height // size) * (width // size)
    require(
        size > wanted / 4,
        "`images` must have a size that is divisible by a patch size; resize them with "
        "`image_size`, for example to a multiple of 8.",
        image_size=(height, width),
    )
    if (height, width, size) == (old_side, old_side, given):
        return {}
    if given is None and size == default_patch_size((height, width, 1)):
        return {}
    remarks.append(
        f"Patches of {size} x {size} pixels divide {height} x {width} pixels into "
        f"{places}; {old} x {old} divide {old_side} x {old_side} into "
        f"{(old_side // old) ** 2}."
    )
    if not 2 / 3 <= size / wanted <= 3 / 2:
        remarks.append(
            f"Guess: no patch size near {wanted:.0f} divides the images, so there are "
            "far more or fewer patches; resizing with `image_size` may be better."
        )
    return {"backbone.patch_size": size}


def _residual(recipe, height, width, remarks):
    side = min(height, width)
    kind = "resnet" if side >= RESNET_SIDE else "wide_resnet"
    if PREACT_SIDE <= side < RESNET_SIDE:
        kind = "preact_resnet"
    require(
        kind == "wide_resnet" or (height % 2, width % 2) == (0, 0),
        "`images` must have even sides for a network with a stride of 2 in its stem; "
        "resize them with `image_size`.",
        image_size=(height, width),
    )
    old = recipe.backbone
    if kind == old.name:
        return {}
    share = RELATIVE_WIDTH[old.name] / RELATIVE_WIDTH[kind]
    widening = max(1, round(old.options.get("widening", 1) * share))
    changes = {"backbone": kind, "backbone.widening": widening}
    if kind == "wide_resnet":
        changes["backbone.depth"] = 28
    remarks.append(
        f"Guess: {kind!r} with widening {widening} replaces {old.name!r}, whose stem "
        f"is not for {height} x {width} pixels; rate, L2 and schedule stay."
    )
    return changes


def _augmentation(recipe, images, sides, is_other, remarks):
    (side, old_side), old, changes = sides, recipe.augmentation, {}
    name = old.name
    if images.images.dtype != "uint8":
        if not recipe.is_augmented:
            return {}
        remarks.append(
            "Guess: images are not augmented, because they are not bytes (uint8 from "
            "0 to 255); convert them for augmentation."
        )
        changes = {"augmentation": "none", "augmentation.random_erasing": 0.0}
        is_kept = recipe.pairs.options.get("keep_on_device")
        if recipe.pixel_mixing.name == "none" and not is_kept:
            changes["pairs.apply_on"] = "pipeline"
        return changes
    if side >= IMAGENET_SIDE:
        name = LARGE_CROPS.get(name, name)
    elif old_side >= IMAGENET_SIDE:
        name = SMALL_CROPS.get(name, name)
    if name != old.name:
        changes["augmentation"] = name
        remarks.append(
            f"Guess: the augmentation {name!r} replaces {old.name!r}, because of the "
            "size of the images."
        )
    if name in PADDED and side != old_side:
        padding = old.options.get("crop_padding", 4)
        if old.name not in PADDED:
            padding = old_side / 8
        padding = max(1, round(padding * side / old_side))
        changes["augmentation.crop_padding"] = padding
        remarks.append(
            f"Crops are padded by {padding} pixels, the same share of the side as "
            "before."
        )
    if is_other and name != "none":
        remarks.append(
            "Guess: it is right to mirror images, left to right. It is wrong for "
            "digits, letters and scans of one side: set augmentation=none."
        )
    if is_other and "autoaugment" in name:
        remarks.append(
            "Guess: AutoAugment was found for natural images in colour; crop_flip is "
            "the safer choice for others."
        )
    return changes


def _batch(recipe, count, remarks):
    different = recipe.batch_size // recipe.repetitions
    steps = count // different
    if steps >= FEW_STEPS:
        return {}
    # With too few images for that, one image is a batch.
    batch_size = max(1, count // FEW_STEPS) * recipe.repetitions
    remarks.append(
        f"Guess: batches of {batch_size} instead of {recipe.batch_size}, for at least "
        f"{FEW_STEPS} steps per epoch of {count} images; the learning rate follows "
        "its rule."
    )
    return {"batch_size": batch_size}
