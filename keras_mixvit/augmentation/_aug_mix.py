from dataclasses import dataclass

import numpy as np

from keras_mixvit._checks import is_number, require, require_positive_integer
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._arrays import floats, per_image
from keras_mixvit.augmentation._augmentation import Augmentation
from keras_mixvit.augmentation._auto_augment import require_fill
from keras_mixvit.augmentation._operations import NAMES, apply_operations

# Without those that resemble a corruption of CIFAR-C.
OPERATIONS = (
    "equalize",
    "posterize",
    "rotate",
    "solarize",
    "shear_x",
    "shear_y",
    "translate_x",
    "translate_y",
)
# Strengths at severity 0 and at 30.
RANGES = {
    "rotate": (0.0, 30.0),
    "shear_x": (0.0, 0.3),
    "shear_y": (0.0, 0.3),
    "translate_x": (0.0, 0.45),
    "translate_y": (0.0, 0.45),
    "solarize": (0.0, 256.0),
    "posterize": (4.0, 8.0),
}
SIGNED = ("rotate", "shear_x", "shear_y", "translate_x", "translate_y")


@dataclass(frozen=True)
class AugMix(Augmentation):
    """Mixes each image with a weighted sum of changed copies of it.

    `width` chains of one to `depth` operations each, drawn from the eight that
    no corruption of CIFAR-C resembles, are summed with weights drawn from
    Dirichlet(1), and the sum is mixed with the image in a ratio drawn from
    Beta(1, 1). The severity sets the strengths, with a random sign for geometry,
    as in the published MixMo code. Its two further operations, identity and
    inversion, are not in the paper's list and are left out. As in the paper,
    there is no Jensen-Shannon loss. Each occurrence of an image has its own
    chains. Geometry takes the nearest pixel. Results are float32.

    Args:
        severity: Float in [0, 30]. Defaults to `3.0`, at which images are
            turned by 3 degrees, sheared by 0.03, moved by 4.5 %, solarized
            from level 25.6 and posterized to 4 bits.
        width: Integer, the number of chains. Defaults to `3`.
        depth: Integer, the most operations of a chain. Defaults to `4`.
        fill: Float in [0, 255], the value of pixels from outside, rounded.
            Defaults to `0.0`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    images = np.zeros((8, 32, 32, 3), "uint8")
    mixed = Augment([AugMix()])(np.random.default_rng(0), images)
    assert mixed.dtype == "float32" and mixed.shape == images.shape
    ```

    References:
        MixMo, Section 6.4 and Table 4; AugMix (Hendrycks et al., 2020).
    """

    severity: float = 3.0
    width: int = 3
    depth: int = 4
    fill: float = 0.0

    # Without an annotation they are no arguments.
    keeps_bytes = False
    needs_bytes = True

    def __post_init__(self):
        require(
            is_number(self.severity) and 0 <= self.severity <= 30,
            "`severity` must be in [0, 30].",
            severity=self.severity,
        )
        require_positive_integer("width", self.width)
        require_positive_integer("depth", self.depth)
        require_fill(self.fill)

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        shape = (count, self.width, self.depth)
        chosen = rng.integers(len(OPERATIONS), size=shape)
        signs = np.where(rng.integers(2, size=shape), 1.0, -1.0)
        depths = rng.integers(1, self.depth + 1, size=(count, self.width, 1))
        acts = np.arange(self.depth) < depths
        index = np.array([NAMES.index(name) for name in OPERATIONS])
        strengths = np.array([strength(name, self.severity) for name in OPERATIONS])
        signed = np.isin(OPERATIONS, SIGNED)[chosen]
        return {
            "operation": np.where(acts, index[chosen], -1).astype("int32"),
            "strength": (strengths[chosen] * np.where(signed, signs, 1.0)).astype(
                "float32"
            ),
            "weight": rng.dirichlet(np.ones(self.width), count).astype("float32"),
            "share": rng.beta(1.0, 1.0, count).astype("float32"),
        }

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        share = per_image(draws["share"], xp)
        mixed = (1.0 - share) * floats(images, xp)
        for chain in range(self.width):
            turns = {name: draws[name][:, chain] for name in ("operation", "strength")}
            changed = apply_operations(images, turns, self.fill, xp)
            weight = share * per_image(draws["weight"][:, chain], xp)
            mixed = mixed + weight * floats(changed, xp)
        return mixed


def strength(name: str, severity: float) -> float:
    """Strength of an operation at a severity.

    Args:
        name: String, the name of the operation.
        severity: Float from 0 to 30.
    """
    low, high = RANGES.get(name, (0.0, 0.0))
    value = low + severity / 30 * (high - low)
    return float(int(value)) if name == "posterize" else value
