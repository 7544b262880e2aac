"""What the stored outputs of timm and the test that reads them have in common."""

import zlib
from dataclasses import dataclass

import numpy as np

PATCH_SIZE = 2
NUM_BLOCKS = 2
NUM_CLASS_BLOCKS = 2
NUM_CLASSES = 5
BATCH = 2
MOST_STORED = 40
# Our names of the blocks, in the order in which they run.
BLOCKS = ("block_0", "block_1", "class_block_0", "class_block_1")


@dataclass(frozen=True)
class Case:
    """A tiny vision transformer.

    Args:
        backbone: `"cait"` or `"convit"`.
        grid: Tuple of integers (h, w), the grid of patches.
        channels: Integer, the channels of the images.
        num_heads: Integer, the number of attention heads.
        head_width: Integer, the features of a head.
        qkv_bias: Boolean, whether query, key and value have biases.
        trunk_attention: `"class_attention"` or `"self_attention"`, as in
            `ConViT`. Defaults to `"class_attention"`.
        has_gradients: Boolean, whether gradients are stored. Defaults to
            `False`.
    """

    backbone: str
    grid: tuple[int, int]
    channels: int
    num_heads: int
    head_width: int
    qkv_bias: bool
    trunk_attention: str = "class_attention"
    has_gradients: bool = False

    @property
    def width(self) -> int:
        return self.num_heads * self.head_width

    @property
    def image_size(self) -> tuple[int, int]:
        return tuple(PATCH_SIZE * side for side in self.grid)

    def only_token_leaves(self, block: str) -> bool:
        """Whether of a block's output only the class token is used."""
        if self.trunk_attention == "class_attention":
            return block.startswith("class_block")
        return block == BLOCKS[-1]


CASES = {
    "cait": Case("cait", (4, 4), 3, 4, 4, True, has_gradients=True),
    "cait_rectangular": Case("cait", (2, 3), 1, 2, 8, False),
    "convit": Case("convit", (4, 4), 3, 4, 4, False, "self_attention", True),
    "convit_6_heads": Case("convit", (3, 3), 1, 6, 4, True, "self_attention"),
    "convit_rectangular": Case("convit", (2, 3), 3, 9, 2, False, "self_attention"),
    "convit_class_attention": Case("convit", (3, 2), 3, 4, 4, False),
}


def drawn_weights(shapes: dict[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """Weights of order one that depend on nothing but their names and shapes.

    At the scale of an initialisation most branches would be lost beside the
    residual stream, and an error in one with them.

    Args:
        shapes: Dict from timm's names to shapes.

    Returns:
        Dict from the names to float32 arrays.
    """
    return {name: _draw(name, tuple(shape)) for name, shape in shapes.items()}


def _draw(name, shape):
    rng = np.random.default_rng(zlib.crc32(name.encode()))
    module, _, kind = name.rpartition(".")
    if kind == "gating_param":
        values = rng.uniform(-2, 2, shape)
    elif kind in ("gamma", "gamma_1", "gamma_2") or (
        kind == "weight" and "norm" in module
    ):
        values = rng.uniform(0.5, 1.5, shape)
    elif kind in ("bias", "cls_token"):
        # A small class token shows the epsilon of the normalisations.
        values = 0.1 * rng.standard_normal(shape)
    elif kind in ("pos_embed", "reg_token"):
        values = rng.standard_normal(shape)
    else:
        values = rng.standard_normal(shape) / np.sqrt(np.prod(shape[1:]))
    return values.astype("float32")


def images(case: Case) -> np.ndarray:
    """The images of a case, `(B, H, W, C)`."""
    shape = (BATCH, *case.image_size, case.channels)
    return np.random.default_rng(0).standard_normal(shape).astype("float32")


def direction() -> np.ndarray:
    """What logits are multiplied by, `(B, K)`; gradients are of the sum."""
    shape = (BATCH, NUM_CLASSES)
    return np.random.default_rng(1).standard_normal(shape).astype("float32")


def stored_part(array: np.ndarray) -> np.ndarray:
    """The entries of a gradient that are stored, spread over all of it."""
    count = min(array.size, MOST_STORED)
    return array.ravel()[np.linspace(0, array.size - 1, count).astype(int)]
