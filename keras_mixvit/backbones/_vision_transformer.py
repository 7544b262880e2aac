import keras

from keras_mixvit._checks import require_heads, require_positive_integer
from keras_mixvit._seeds import child_seed
from keras_mixvit.backbones._attention_map import record_attention
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._normalization import normalized, plain
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
            arguments[argument] = plain(arguments[argument])
        self._argument_names = tuple(arguments)
        for argument, value in arguments.items():
            setattr(self, argument, value)
        self._make_parts()
        self._connect()

    def _make_parts(self):
        parts, dtype = self._parts, self.dtype_policy
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
            "recompute": self.recompute,
            "dtype": self.dtype_policy,
        }

    def make_stem(self, name="stem"):
        images = keras.Input(self.image_shape, name="images")
        # Variables of one model need paths of their own: PyTorch's trainer
        # forgets all but one of those that share a path.
        embedding = PatchEmbedding(
            self.width,
            self.patch_size,
            name=name.replace("stem", "patch_embedding"),
            dtype=self.dtype_policy,
        )
        grid = embedding(normalized(images, self.mean, self.std))
        return keras.Model(images, grid, name=name)

    def head_initializer(self):
        return None

    def apply_position(self, grid):
        return self._parts.position(grid)

    def apply_blocks(self, grid, maps=None, between=None):
        for i, block in enumerate(self._parts.blocks):
            record_attention(maps, block, grid)
            grid = block(grid)
            if between is not None:
                grid = between(i, grid)
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
