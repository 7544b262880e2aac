"""Tiny residual networks whose outputs are stored, and what they start from."""

import dataclasses
import zlib

import numpy as np

BATCH = 3
NUM_CLASSES = 5


@dataclasses.dataclass(frozen=True)
class Case:
    """A network and the images that it is given.

    Args:
        network: `"wide"`, `"preact"` or `"resnet"`.
        image_shape: (H, W, C), with sides that every stride divides.
        members: Integer, the number M of stems and heads.
    """

    network: str
    image_shape: tuple[int, int, int]
    members: int = 1


CASES = {
    "wide": Case("wide", (8, 8, 3)),
    "wide_mixmo": Case("wide", (8, 12, 3), members=2),
    "preact": Case("preact", (16, 16, 3)),
    "resnet": Case("resnet", (32, 32, 3)),
}
# Whose outputs and running statistics in training are stored as well.
TRAINED = "wide"


def drawn_weights(shapes):
    """Arrays of the given shapes, each drawn from a seed of its name alone."""
    return {name: _drawn(name, shape) for name, shape in shapes.items()}


def _drawn(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    if name.endswith("running_var") or (name.endswith("weight") and len(shape) == 1):
        return rng.uniform(0.5, 1.5, shape).astype("float32")
    scale = (2 / np.prod(shape[1:])) ** 0.5 if len(shape) > 1 else 0.3
    return (scale * rng.standard_normal(shape, "float32")).astype("float32")


def images(case):
    """Images `(B, H, W, C)` of both signs."""
    rng = np.random.default_rng(7)
    return rng.standard_normal((BATCH, *case.image_shape)).astype("float32")
