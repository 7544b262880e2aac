import keras
import numpy as np

from keras_mixvit._checks import require, require_heads, require_positive_integer
from keras_mixvit._seeds import child_seed
from keras_mixvit.backbones.attention_map import record_attention
from keras_mixvit.backbones.backbone import Backbone
from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    ClassToken,
    PatchEmbedding,
    PositionEmbedding,
    TransformerBlock,
)


class VisionTransformer(Backbone):
    """What ConViT and CaiT share: patches, blocks, class attention, a norm.

    A subclass names and documents every argument, which all become attributes
    and the config, and gives `_attention`, the self-attention of one block,
    and `_stochastic_depth_rates`, one rate per block.
    """

    _class_blocks_drop = True

    def __init__(self, image_shape, patch_size, name, dtype, **arguments):
        super().__init__(image_shape, patch_size, name=name, dtype=dtype)
        for argument in ("width", "num_heads", "num_blocks", "num_class_blocks"):
            require_positive_integer(argument, arguments[argument])
        require_heads(arguments["width"], arguments["num_heads"])
        for argument in ("mean", "std"):
            if np.ndim(arguments[argument]):
                arguments[argument] = tuple(map(float, arguments[argument]))
        self._argument_names = tuple(arguments)
        for argument, value in arguments.items():
            setattr(self, argument, value)
        self._make_parts()
        self._connect()

    def _make_parts(self):
        parts, dtype = self._parts, self.dtype_policy
        parts.normalization = normalization(self.mean, self.std, self.image_shape[-1])
        parts.embedding = PatchEmbedding(
            self.width, self.patch_size, name="patch_embedding", dtype=dtype
        )
        parts.position = PositionEmbedding(
            self.dropout_rate, child_seed(self.seed, 0), name="position", dtype=dtype
        )
        rates = self._stochastic_depth_rates()
        parts.blocks = [
            TransformerBlock(
                self._attention(child_seed(self.seed, 1 + 2 * i)),
                **self._block_options(rates[i], self.dropout_rate, 2 + 2 * i),
                name=f"block_{i}",
            )
            for i in range(self.num_blocks)
        ]
        parts.class_token = ClassToken(name="class_token", dtype=dtype)
        class_dropout = self.dropout_rate if self._class_blocks_drop else 0.0
        parts.class_blocks = [
            self._class_block(
                i - self.num_blocks,
                child_seed(self.seed, 1 + 2 * i),
                **self._block_options(rates[i], class_dropout, 2 + 2 * i),
                name=f"class_block_{i - self.num_blocks}",
            )
            for i in range(self.num_blocks, len(rates))
        ]
        parts.norm = keras.layers.LayerNormalization(
            epsilon=self.epsilon, name="norm", dtype=dtype
        )

    def _class_block(self, index, attention_seed, **options):
        drops = self._class_blocks_drop
        attention = ClassAttention(
            self.num_heads,
            self.qkv_bias,
            self.dropout_rate if drops else 0.0,
            self.attention_dropout_rate if drops else 0.0,
            attention_seed,
            name="attention",
            dtype=self.dtype_policy,
        )
        return ClassAttentionBlock(attention, **options)

    def _block_options(self, stochastic_depth_rate, dropout_rate, seed_index):
        return {
            "mlp_ratio": self.mlp_ratio,
            "layer_scale": self.layer_scale,
            "epsilon": self.epsilon,
            "dropout_rate": dropout_rate,
            "stochastic_depth_rate": float(stochastic_depth_rate),
            "seed": child_seed(self.seed, seed_index),
            "dtype": self.dtype_policy,
        }

    def apply_stem(self, images):
        if self._parts.normalization is not None:
            images = self._parts.normalization(images)
        return self._parts.embedding(images)

    def apply_position(self, grid):
        return self._parts.position(grid)

    def apply_blocks(self, grid, maps=None):
        for block in self._parts.blocks:
            record_attention(maps, block, grid)
            grid = block(grid)
        return grid

    def apply_trunk(self, grid, maps=None):
        token = self._parts.class_token(grid)
        for block in self._parts.class_blocks:
            record_attention(maps, block, token, grid)
            token = block(token, grid)
        return self._parts.norm(token)

    def get_config(self):
        arguments = {name: getattr(self, name) for name in self._argument_names}
        return {**super().get_config(), **arguments}


def normalization(mean, std, channels):
    """Layer for (x - mean) / std per channel, or `None` for none."""
    if mean is None and std is None:
        return None
    for argument, value in (("mean", mean), ("std", std)):
        require(
            np.ndim(value) == 0 or np.shape(value) == (channels,),
            f"`{argument}` must be a number or {channels} numbers, one per channel.",
            **{argument: value},
        )
    mean = np.broadcast_to(0.0 if mean is None else mean, channels)
    std = np.broadcast_to(1.0 if std is None else std, channels)
    require(np.all(np.isfinite(mean)), "`mean` must be finite.", mean=mean.tolist())
    require(np.all(std > 0), "`std` must be positive.", std=std.tolist())
    # Not `Normalization`, whose constants are lost in an export to ONNX. In
    # float32, because the product is larger than the result.
    return keras.layers.Rescaling(
        (1 / std).tolist(),
        (-mean / std).tolist(),
        name="normalization",
        dtype="float32",
    )
