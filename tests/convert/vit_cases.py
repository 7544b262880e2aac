"""What the stored outputs of timm's ViT and the test that reads them have in common."""

from dataclasses import dataclass

from tests.convert.timm_cases import PATCH_SIZE

NUM_BLOCKS = 1
NUM_CLASS_BLOCKS = 2
# Our names of the blocks, in the order in which they run.
BLOCKS = ("block_0", "class_block_0", "class_block_1")
HIDDEN = 20


@dataclass(frozen=True)
class VitCase:
    """A tiny ViT: what timm's constructor is given, and what ours is.

    Args:
        timm: Dict of timm's arguments.
        ours: Dict of the arguments of `ViT`.
        grid: Tuple of integers (h, w), the grid of patches. Defaults to `(3, 3)`.
        channels: Integer, the channels of the images. Defaults to `3`.
        num_heads: Integer, the number of attention heads. Defaults to `4`.
        head_width: Integer, the features of a head. Defaults to `4`.
        has_gradients: Boolean, whether gradients are stored. Defaults to
            `False`.
    """

    timm: dict
    ours: dict
    grid: tuple[int, int] = (3, 3)
    channels: int = 3
    num_heads: int = 4
    head_width: int = 4
    has_gradients: bool = False

    @property
    def width(self) -> int:
        return self.num_heads * self.head_width

    @property
    def image_size(self) -> tuple[int, int]:
        return tuple(PATCH_SIZE * side for side in self.grid)

    def only_token_leaves(self, block: str) -> bool:
        """Whether of a block's output only the class token is used."""
        return block == BLOCKS[-1] and self.ours.get("pooling", "token") == "token"


AVERAGE = {"pooling": "average"}
CASES = {
    "vit": VitCase({}, {}, has_gradients=True),
    "rectangular": VitCase({}, {}, (2, 3), 1, 2, 8),
    "registers": VitCase({"reg_tokens": 2}, {"num_registers": 2}, (3, 2)),
    "deit3": VitCase(
        {"no_embed_class": True, "init_values": 1e-4},
        {"prefix_positions": False, "layer_scale": 1e-4},
    ),
    "dinov2": VitCase(
        {"no_embed_class": True, "init_values": 1e-5, "reg_tokens": 4},
        {"prefix_positions": False, "layer_scale": 1e-5, "num_registers": 4},
        (2, 3),
        has_gradients=True,
    ),
    "swiglu": VitCase(
        # timm counts both halves of the gated features.
        {"mlp_ratio": 2 * HIDDEN / 16, "swiglu": True},
        {"mlp_ratio": HIDDEN / 16, "mlp_activation": "swiglu"},
        has_gradients=True,
    ),
    "average": VitCase({"global_pool": "avg"}, AVERAGE, has_gradients=True),
    "average_of_normalized": VitCase(
        {"global_pool": "avg", "fc_norm": False, "class_token": False},
        {**AVERAGE, "norm_after_pooling": False, "class_token": False},
        (2, 3),
    ),
    "average_with_registers": VitCase(
        {"global_pool": "avg", "class_token": False, "reg_tokens": 2},
        {**AVERAGE, "class_token": False, "num_registers": 2},
    ),
    "clip": VitCase(
        {"pre_norm": True, "eps": 1e-5, "act_layer": "quick_gelu"},
        {"pre_norm": True, "epsilon": 1e-5, "mlp_activation": "quick_gelu"},
        has_gradients=True,
    ),
    "pre_norm_of_patches": VitCase(
        {"pre_norm": True, "global_pool": "avg", "class_token": False},
        {**AVERAGE, "pre_norm": True, "class_token": False},
        (2, 3),
    ),
    "distilled": VitCase(
        {"distilled": True}, {"pooling": "distilled"}, (2, 3), has_gradients=True
    ),
    "norm_of_token": VitCase(
        {"fc_norm": True, "qkv_bias": False},
        {"norm_after_pooling": True, "qkv_bias": False},
    ),
}
