"""The operations of AutoAugment and RandAugment by their names."""

from collections.abc import Callable
from functools import partial

import numpy as np

from keras_mixvit.augmentation import _colour as colour
from keras_mixvit.augmentation import _geometry as geometry
from keras_mixvit.augmentation._arrays import per_image

# From name to function of images, strengths `(B,)`, fill, and namespace.
OPERATIONS: dict[str, Callable] = {
    **{name: partial(geometry.moved, name) for name in geometry.MATRICES},
    "autocontrast": lambda x, s, fill, xp: colour.autocontrast(x, xp),
    "invert": lambda x, s, fill, xp: colour.invert(x, xp),
    "equalize": lambda x, s, fill, xp: colour.equalize(x, xp),
    "solarize": lambda x, s, fill, xp: colour.solarize(x, s, xp),
    "solarize_add": lambda x, s, fill, xp: colour.solarize_add(x, s, xp),
    "posterize": lambda x, s, fill, xp: colour.posterize(x, s, xp),
    "contrast": lambda x, s, fill, xp: colour.enhanced("contrast", x, s, xp),
    "colour": lambda x, s, fill, xp: colour.enhanced("colour", x, s, xp),
    "brightness": lambda x, s, fill, xp: colour.enhanced("brightness", x, s, xp),
    "sharpness": lambda x, s, fill, xp: colour.enhanced("sharpness", x, s, xp),
}
NAMES = tuple(OPERATIONS)


def apply_operations(images, draws, fill, xp=np):
    """Applies the operations that were drawn for each image, in turn.

    In NumPy the images that share an operation go through it together. In a
    compiled step, whose shapes are fixed, all images go through all of them.

    Args:
        images: Array `(B, H, W, C)` of whole numbers from 0 to 255.
        draws: Dict of arrays `(B, R)`: `operation`, the index in `NAMES`, or
            -1 for none, and `strength`, what the operation takes.
        fill: Number, what pixels from outside become, rounded to a whole one.
        xp: Array namespace. Defaults to `numpy`.

    Returns:
        Array `(B, H, W, C)`.
    """
    # Bytes hold no fraction, so a compiled step must not either.
    fill = float(round(fill))
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
        taken = images[chosen].astype("float32", copy=False)
        results[chosen] = function(taken, strength[chosen], fill, np)
    return results


def _selected(images, operation, strength, fill, xp):
    _, height, width, _ = images.shape
    identity = xp.zeros_like(strength)
    matrices = geometry.shear_x(identity, height, width, xp)
    poorer, is_enhanced = images, False
    for index, name in enumerate(NAMES):
        if name in geometry.MATRICES:
            chosen = geometry.MATRICES[name](strength, height, width, xp)
            matrices = xp.where((operation == index)[:, None], chosen, matrices)
        elif name in colour.POORER:
            is_chosen = per_image(operation == index, xp)
            poorer = xp.where(is_chosen, colour.POORER[name](images, xp), poorer)
            is_enhanced = xp.logical_or(is_enhanced, is_chosen)
    # One gather moves the pixels of all images, one blend enhances them.
    results = geometry.affine(images, matrices, fill, xp)
    enhanced = colour.blend(poorer, images, strength, xp)
    results = xp.where(is_enhanced, enhanced, results)
    for index, name in enumerate(NAMES):
        if name not in geometry.MATRICES and name not in colour.POORER:
            is_chosen = per_image(operation == index, xp)
            changed = OPERATIONS[name](images, strength, fill, xp)
            results = xp.where(is_chosen, changed, results)
    return results
