from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import is_number, require, require_positive_integer
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._augmentation import Augmentation
from keras_mixvit.augmentation._auto_augment import FACTORS, require_fill
from keras_mixvit.augmentation._operations import NAMES, apply_operations

LARGEST = {
    "shear_x": 0.3,
    "shear_y": 0.3,
    "translate_x": 0.45,
    "translate_y": 0.45,
    "rotate": 30.0,
}


@dataclass(frozen=True)
class RandAugment(Augmentation):
    """Operations drawn at random, as DeiT does: `rand-m9-mstd0.5-inc1`.

    Each of `num_operations` turns draws one of 15 operations, which acts with
    probability 0.5, with a magnitude normal around `magnitude` and cut to 0 to
    10; the larger, the stronger, for all of them. Strengths of geometry and of
    colour have a random sign. Geometry takes the nearest pixel, where DeiT
    interpolates.

    Args:
        num_operations: Integer, turns per image. Defaults to `2`.
        magnitude: Float in [0, 10], the mean magnitude. Defaults to `9.0`.
        deviation: Non-negative float, the deviation of the magnitude. Defaults
            to `0.5`.
        fill: Float in [0, 255], the value of pixels from outside, rounded.
            Defaults to `124.0`, the mean of ImageNet.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    images = np.zeros((8, 32, 32, 3), "uint8")
    changed = Augment([RandAugment()])(np.random.default_rng(0), images)
    assert changed.shape == images.shape
    ```

    References:
        RandAugment (Cubuk et al., 2020); DeiT (Touvron et al., 2021).
    """

    num_operations: int = 2
    magnitude: float = 9.0
    deviation: float = 0.5
    fill: float = 124.0

    # Without an annotation it is not an argument of the dataclass.
    needs_bytes = True

    def __post_init__(self):
        require_positive_integer("num_operations", self.num_operations)
        require(
            is_number(self.magnitude) and 0 <= self.magnitude <= 10,
            "`magnitude` must be in [0, 10].",
            magnitude=self.magnitude,
        )
        require(
            is_number(self.deviation) and 0 <= self.deviation < float("inf"),
            "`deviation` must not be negative.",
            deviation=self.deviation,
        )
        require_fill(self.fill)

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        shape = (count, self.num_operations)
        operations = rng.integers(len(NAMES), size=shape)
        acts = rng.random(shape) < 0.5
        magnitudes = rng.normal(self.magnitude, self.deviation, shape)
        shares = np.clip(magnitudes, 0, 10) / 10
        signs = np.where(rng.integers(2, size=shape), 1.0, -1.0)
        strengths = np.zeros(shape)
        for index, name in enumerate(NAMES):
            chosen = operations == index
            strengths[chosen] = strength(name, shares[chosen], signs[chosen])
        return {
            "operation": np.where(acts, operations, -1).astype("int32"),
            "strength": strengths.astype("float32"),
        }

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        return apply_operations(images, draws, self.fill, xp)


def strength(name: str, shares: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """What an operation takes, at shares of its largest strength.

    Args:
        name: String, the name of the operation.
        shares: Array of floats in [0, 1].
        signs: Array of 1 and -1.
    """
    if name in LARGEST:
        return LARGEST[name] * shares * signs
    if name in FACTORS:
        return np.maximum(1 + 0.9 * shares * signs, 0.1)
    if name == "posterize":
        return 4 - np.floor(4 * shares)
    if name == "solarize":
        return 256 - np.floor(256 * shares)
    if name == "solarize_add":
        return np.minimum(np.floor(110 * shares), 128)
    return np.zeros_like(shares)
