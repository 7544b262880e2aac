"""The operations of AutoAugment and RandAugment by their names."""

import numpy as np

from keras_mixvit.augmentation import colour, geometry
from keras_mixvit.augmentation.arrays import per_image

# From name to function of images, strengths `(B,)`, fill, and namespace.
OPERATIONS = {
    "shear_x": lambda x, s, fill, xp: geometry.shear(x, s, "x", fill, xp),
    "shear_y": lambda x, s, fill, xp: geometry.shear(x, s, "y", fill, xp),
    "translate_x": lambda x, s, fill, xp: geometry.translate(x, s, "x", fill, xp),
    "translate_y": lambda x, s, fill, xp: geometry.translate(x, s, "y", fill, xp),
    "rotate": geometry.rotate,
    "autocontrast": lambda x, s, fill, xp: colour.autocontrast(x, xp),
    "invert": lambda x, s, fill, xp: colour.invert(x, xp),
    "equalize": lambda x, s, fill, xp: colour.equalize(x, xp),
    "solarize": lambda x, s, fill, xp: colour.solarize(x, s, xp),
    "solarize_add": lambda x, s, fill, xp: colour.solarize_add(x, s, xp),
    "posterize": lambda x, s, fill, xp: colour.posterize(x, s, xp),
    "contrast": lambda x, s, fill, xp: colour.contrast(x, s, xp),
    "colour": lambda x, s, fill, xp: colour.colour(x, s, xp),
    "brightness": lambda x, s, fill, xp: colour.brightness(x, s, xp),
    "sharpness": lambda x, s, fill, xp: colour.sharpness(x, s, xp),
}
NAMES = tuple(OPERATIONS)


def apply_operations(images, draws, fill, xp=np):
    """Applies to each image the operations that were drawn for it, in turn.

    In NumPy the images that share an operation go through it together. In a
    compiled step, whose shapes are fixed, all images go through all of them.

    Args:
        images: Array `(B, H, W, C)` of whole numbers from 0 to 255.
        draws: Dict of arrays `(B, R)`: `operation`, the index in `NAMES`, or
            -1 for none, and `strength`, what the operation takes.
        fill: Number, what pixels from outside become.
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        Array `(B, H, W, C)`.
    """
    for turn in range(draws["operation"].shape[1]):
        operation, strength = (draws[k][:, turn] for k in ("operation", "strength"))
        if xp is np:
            images = _grouped(images, operation, strength, fill)
        else:
            images = _selected(images, operation, strength, fill, xp)
    return images


def _grouped(images, operation, strength, fill):
    results = images.copy()
    for index in np.unique(operation[operation >= 0]):
        chosen = np.flatnonzero(operation == index)
        function = OPERATIONS[NAMES[index]]
        results[chosen] = function(images[chosen], strength[chosen], fill, np)
    return results


def _selected(images, operation, strength, fill, xp):
    results = images
    for index, function in enumerate(OPERATIONS.values()):
        is_chosen = per_image(operation == index, xp)
        results = xp.where(is_chosen, function(images, strength, fill, xp), results)
    return results
