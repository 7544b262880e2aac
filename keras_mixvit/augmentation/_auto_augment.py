from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import require, require_choice
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._augmentation import Augmentation
from keras_mixvit.augmentation._operations import NAMES, apply_operations

# Rows of two operations, each with its probability in tenths and its magnitude.
POLICIES = {
    "cifar10": """
        invert 1 7, contrast 2 6; rotate 7 2, translate_x 3 9;
        sharpness 8 1, sharpness 9 3; shear_y 5 8, translate_y 7 9;
        autocontrast 5 8, equalize 9 2; shear_y 2 7, posterize 3 7;
        colour 4 3, brightness 6 7; sharpness 3 9, brightness 7 9;
        equalize 6 5, equalize 5 1; contrast 6 7, sharpness 6 5;
        colour 7 7, translate_x 5 8; equalize 3 7, autocontrast 4 8;
        translate_y 4 3, sharpness 2 6; brightness 9 6, colour 2 8;
        solarize 5 2, invert 0 3; equalize 2 0, autocontrast 6 0;
        equalize 2 8, equalize 6 4; colour 9 9, equalize 6 6;
        autocontrast 8 4, solarize 2 8; brightness 1 3, colour 7 0;
        solarize 4 5, autocontrast 9 3; translate_y 9 9, translate_y 7 9;
        autocontrast 9 2, solarize 8 3; equalize 8 8, invert 1 3;
        translate_y 7 9, autocontrast 9 1
    """,
    "imagenet": """
        posterize 4 8, rotate 6 9; solarize 6 5, autocontrast 6 5;
        equalize 8 8, equalize 6 3; posterize 6 7, posterize 6 6;
        equalize 4 7, solarize 2 4; equalize 4 4, rotate 8 8;
        solarize 6 3, equalize 6 7; posterize 8 5, equalize 10 2;
        rotate 2 3, solarize 6 8; equalize 6 8, posterize 4 6;
        rotate 8 8, colour 4 0; rotate 4 9, equalize 6 2;
        equalize 0 7, equalize 8 8; invert 6 4, equalize 10 8;
        colour 6 4, contrast 10 8; rotate 8 8, colour 10 2;
        colour 8 8, solarize 8 7; sharpness 4 7, invert 6 8;
        shear_x 6 5, equalize 10 9; colour 4 0, equalize 6 3;
        equalize 4 7, solarize 2 4; solarize 6 5, autocontrast 6 5;
        invert 6 4, equalize 10 8; colour 6 4, contrast 10 8;
        equalize 8 8, equalize 6 3
    """,
}
POSTERIZE_BITS = (8, 8, 7, 7, 6, 6, 5, 5, 4, 4)
# Operations whose strength has a random sign, and their largest strengths.
SIGNED = {
    "shear_x": 0.3,
    "shear_y": 0.3,
    "translate_x": 150 / 331,
    "translate_y": 150 / 331,
    "rotate": 30.0,
}
FACTORS = ("colour", "contrast", "brightness", "sharpness")


@dataclass(frozen=True)
class AutoAugment(Augmentation):
    """One of 25 pairs of operations for each image, found for a data set.

    A pair is drawn uniformly. Each of its operations acts with its own
    probability, and strengths of geometry and of colour have a random sign.
    Geometry takes the nearest pixel.

    Args:
        policy: `"cifar10"`, also for CIFAR-100, or `"imagenet"`. Defaults to
            `"cifar10"`.
        fill: Float in [0, 255], the value of pixels from outside, rounded.
            Defaults to `128.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    images = np.zeros((8, 32, 32, 3), "uint8")
    changed = Augment([AutoAugment()])(np.random.default_rng(0), images)
    assert changed.shape == images.shape
    ```

    References:
        AutoAugment (Cubuk et al., 2019), Tables 7 and 9; MixViT, Section 4.
    """

    policy: str = "cifar10"
    fill: float = 128.0

    # Without an annotation it is not an argument of the dataclass.
    needs_bytes = True

    def __post_init__(self):
        require_choice("policy", self.policy, POLICIES)
        require_fill(self.fill)

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        operations, probabilities, strengths, signed, centers = TABLES[self.policy]
        rows = rng.integers(len(operations), size=count)
        acts = rng.random((count, 2)) < probabilities[rows]
        signs = np.where(rng.integers(2, size=(count, 2)), 1.0, -1.0)
        strengths = np.where(signed[rows], signs * strengths[rows], strengths[rows])
        return {
            "operation": np.where(acts, operations[rows], -1).astype("int32"),
            "strength": (strengths + centers[rows]).astype("float32"),
        }

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        return apply_operations(images, draws, self.fill, xp)


def require_fill(fill) -> None:
    """Requires the value of a pixel."""
    require(0 <= fill <= 255, "`fill` must be in [0, 255].", fill=fill)


def strength(name: str, magnitude: int) -> tuple[float, bool, float]:
    """Strength of an operation, whether it has a sign, and what it is added to.

    Args:
        name: String, the name of the operation.
        magnitude: Integer from 0 to 9.
    """
    share = magnitude / 9
    if name in SIGNED:
        return SIGNED[name] * share, True, 0.0
    if name in FACTORS:
        return 0.9 * share, True, 1.0
    if name == "posterize":
        return float(POSTERIZE_BITS[magnitude]), False, 0.0
    if name == "solarize":
        return 256.0 * (1 - share), False, 0.0
    return 0.0, False, 0.0


def table(policy: str) -> tuple[np.ndarray, ...]:
    """A policy as arrays `(25, 2)`: index, probability, strength, sign, centre.

    Args:
        policy: String, a text of `POLICIES`.
    """
    entries = [
        [operation.split() for operation in row.split(",")] for row in policy.split(";")
    ]
    columns = [
        [
            (NAMES.index(name), int(tenths) / 10, *strength(name, int(magnitude)))
            for name, tenths, magnitude in row
        ]
        for row in entries
    ]
    values = np.array(columns, dtype="float64")
    index, probability, amount, signed, center = np.moveaxis(values, -1, 0)
    return index.astype("int32"), probability, amount, signed > 0, center


TABLES = {name: table(policy) for name, policy in POLICIES.items()}
