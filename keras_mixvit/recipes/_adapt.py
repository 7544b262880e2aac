import math

from keras_mixvit._checks import require
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.recipes._data_facts import FACTS
from keras_mixvit.recipes._model import default_patch_size
from keras_mixvit.recipes._papers import stored_recipes
from keras_mixvit.recipes._recipe import Recipe

# From the shorter side of an image on: which residual network has the stem for
# it, and whether images are cropped and resized as those of ImageNet.
PREACT_SIDE, RESNET_SIDE, IMAGENET_SIDE = 49, 113, 129
# Width of as many parameters, relative to that of a WRN-28.
RELATIVE_WIDTH = {"wide_resnet": 1.0, "preact_resnet": 5.5, "resnet": 5.5}
SMALL_CROPS = {
    "imagenet_crop_flip": "crop_flip",
    "imagenet_autoaugment": "crop_flip_autoaugment",
}
LARGE_CROPS = {small: large for large, small in SMALL_CROPS.items()}
PADDED = ("crop_flip", "crop_flip_autoaugment", "crop_flip_randaugment", "augmix")
FEW_STEPS = 10


def adapt(recipe: Recipe, images: ImageSet) -> tuple[Recipe, list[str]]:
    """Fits a recipe to images of another size, number or kind.

    Classes and channels are those of the images anyway. It changes the
    protocol, to validate on other images than those that judge; the size of
    patches, so that there are about as many as in the recipe; the kind of
    residual network, whose stem is made for a size; the crop; and the batch,
    where there are too few images.

    Args:
        recipe: `Recipe`, a named one or what became of it: its name tells for
            which images it was.
        images: `ImageSet` to train on, as loaded.

    Returns:
        The `Recipe` for these images, without published figures, and a list of
        sentences about what was chosen; `"Guess: "` opens those about choices
        that may well be wrong.

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
    if recipe.is_residual:
        changes |= _residual(recipe, height, width, remarks)
    else:
        changes |= _patches(recipe, height, width, old_side, remarks)
    is_other = (height, width, channels, images.num_classes) != (
        *(old_height, old_width, old_channels),
        old_classes,
    )
    changes |= _augmentation(recipe, images, (side, old_side), is_other, remarks)
    changes |= _batch(recipe, len(images.labels), remarks)
    if recipe.data.protocol == "paper":
        changes["data.protocol"] = "validation"
        remarks.append(
            "The protocol is 'validation': other images than those that judge choose "
            "the best epoch."
        )
    return recipe.with_settings(changes), remarks


def _original_data(recipe):
    """The set that a recipe was written for, whatever it is to be trained on."""
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
    # Single pixels are no patches, unless there is nothing else.
    fitting = [size for size in fitting if 1 < size <= side // 2] or [1]
    size = min(fitting, key=lambda s: (abs(math.log(s / wanted)), s))
    places = (height // size) * (width // size)
    require(
        size > wanted / 4,
        "`images` must have a size that patches divide; resize them, with "
        "`image_size`, such as to a multiple of 8.",
        image_size=(height, width),
    )
    if (height, width, size) == (old_side, old_side, given):
        return {}
    if given is None and size == default_patch_size((height, width, 1)):
        return {}
    remarks.append(
        f"Patches of {size} x {size} pixels cut {height} x {width} pixels into "
        f"{places}; {old} x {old} cut {old_side} x {old_side} into "
        f"{(old_side // old) ** 2}."
    )
    if not 2 / 3 <= size / wanted <= 3 / 2:
        remarks.append(
            f"Guess: no patch size near {wanted:.0f} divides the images, so that there "
            "are far more or fewer places; resizing with `image_size` may be better."
        )
    return {"backbone.patch_size": size}


def _residual(recipe, height, width, remarks):
    side = min(height, width)
    kind = "resnet" if side >= RESNET_SIDE else "wide_resnet"
    if PREACT_SIDE <= side < RESNET_SIDE:
        kind = "preact_resnet"
    require(
        kind == "wide_resnet" or (height % 2, width % 2) == (0, 0),
        "`images` must have even sides for a network with a stride of 2 in its "
        "stem; resize them, with `image_size`.",
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
        f"Guess: {kind!r} with widening {widening} takes the place of "
        f"{old.name!r}, whose stem is not for {height} x {width} pixels; rate, "
        "L2 and schedule stay."
    )
    return changes


def _augmentation(recipe, images, sides, is_other, remarks):
    (side, old_side), old, changes = sides, recipe.augmentation, {}
    name = old.name
    if images.images.dtype != "uint8":
        if not recipe.is_augmented:
            return {}
        remarks.append(
            "Guess: nothing is augmented, as images are not bytes (uint8 from 0 to "
            "255); convert them to have it."
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
            f"Guess: the augmentation {name!r} takes the place of "
            f"{old.name!r}, for the size of the images."
        )
    if name in PADDED and side != old_side:
        padding = old.options.get("crop_padding", 4)
        if old.name not in PADDED:
            padding = old_side / 8
        padding = max(1, round(padding * side / old_side))
        changes["augmentation.crop_padding"] = padding
        remarks.append(
            f"Crops are padded by {padding} pixels, the same share of the side."
        )
    if is_other and name != "none":
        remarks.append(
            "Guess: images may be mirrored, left to right; digits, letters and scans "
            "of one side may not: augmentation=none."
        )
    if is_other and "autoaugment" in name:
        remarks.append(
            "Guess: AutoAugment was found for natural images in colour; crop_flip is "
            "the careful choice for others."
        )
    return changes


def _batch(recipe, count, remarks):
    different = recipe.batch_size // recipe.repetitions
    steps = count // different
    if steps >= FEW_STEPS:
        return {}
    # Where there are too few for that, one image is a batch.
    batch_size = max(1, count // FEW_STEPS) * recipe.repetitions
    remarks.append(
        f"Guess: batches of {batch_size} instead of {recipe.batch_size}, for at least "
        f"{FEW_STEPS} steps in an epoch of {count} images; the rate follows its rule."
    )
    return {"batch_size": batch_size}
