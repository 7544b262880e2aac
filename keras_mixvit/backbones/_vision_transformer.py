from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require_heads, require_positive_integer
from keras_mixvit._seeds import child_seed
from keras_mixvit.backbones._attention_map import record_attention
from keras_mixvit.backbones._backbone import Backbone
from keras_mixvit.backbones._normalization import as_config, normalized
from keras_mixvit.layers import (
    ClassAttention,
    ClassAttentionBlock,
    ClassToken,
    PatchEmbedding,
    PositionEmbedding,
    SelfAttention,
    SourceEmbedding,
    SourceEncoding,
    TransformerBlock,
)
from keras_mixvit.layers._layer_normalization import LayerNormalization
from keras_mixvit.layers._source_statistics import SourceStatistics
from keras_mixvit.layers._standardization import Standardization


@dataclass
class TransformerParts:
    """The layers of a vision transformer, except its stem.

    Fields:
        position: Layer that adds position to the grid.
        blocks: List of the blocks of the body.
        class_token: `ClassToken`, or in a `ViT` `PrefixTokens` or `None`.
        class_blocks: List of the blocks of the trunk.
        norm: The last normalisation.
        first_norm: The normalisation before the first block, or `None`.
    """

    position: PositionEmbedding
    blocks: list[TransformerBlock]
    class_token: Any
    class_blocks: list[TransformerBlock | ClassAttentionBlock]
    norm: LayerNormalization
    first_norm: Any = None


class VisionTransformer(Backbone):
    """Base class of ViT, ConViT and CaiT: patches, blocks, class attention, a norm.

    A subclass documents the arguments. It defines `_attention`, the self-attention of
    one block, and `_stochastic_depth_rates`, one rate per block, and calls
    `_make_network` at the end of its constructor.
    """

    _class_blocks_drop = True
    _has_first_norm = False

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        patch_size: int,
        width: int,
        num_heads: int,
        num_blocks: int,
        num_class_blocks: int,
        mlp_ratio: float,
        qkv_bias: bool,
        layer_scale: float | None,
        epsilon: float,
        dropout_rate: float,
        attention_dropout_rate: float,
        stochastic_depth_rate: float,
        mean: float | Sequence[float] | None,
        std: float | Sequence[float] | None,
        seed: int | None,
        recompute: bool,
        name: str,
        dtype: Any,
    ):
        super().__init__(image_shape, patch_size, name=name, dtype=dtype)
        require_positive_integer("width", width)
        require_positive_integer("num_heads", num_heads)
        require_positive_integer("num_blocks", num_blocks)
        require_positive_integer("num_class_blocks", num_class_blocks)
        require_heads(width, num_heads)
        self.width = width
        self.num_heads = num_heads
        self.num_blocks = num_blocks
        self.num_class_blocks = num_class_blocks
        self.mlp_ratio = mlp_ratio
        self.qkv_bias = qkv_bias
        self.layer_scale = layer_scale
        self.epsilon = epsilon
        self.dropout_rate = dropout_rate
        self.attention_dropout_rate = attention_dropout_rate
        self.stochastic_depth_rate = stochastic_depth_rate
        self.mean = as_config(mean)
        self.std = as_config(std)
        self.seed = seed
        self.recompute = recompute

    def _make_network(self):
        dtype = self.dtype_policy
        position = PositionEmbedding(
            self.dropout_rate, child_seed(self.seed, 0), name="position", dtype=dtype
        )
        rates = self._stochastic_depth_rates()
        blocks = [
            TransformerBlock(
                self._attention(child_seed(self.seed, 1 + 2 * i)),
                **self._block_options(rates[i], self.dropout_rate, 2 + 2 * i),
                name=f"block_{i}",
            )
            for i in range(self.num_blocks)
        ]
        class_token = self._make_tokens()
        class_dropout = self.dropout_rate if self._class_blocks_drop else 0.0
        class_blocks = [
            self._class_block(
                i - self.num_blocks,
                child_seed(self.seed, 1 + 2 * i),
                **self._block_options(rates[i], class_dropout, 2 + 2 * i),
                name=f"class_block_{i - self.num_blocks}",
            )
            for i in range(self.num_blocks, len(rates))
        ]
        names = ("norm", "first_norm") if self._has_first_norm else ("norm",)
        norms = [
            LayerNormalization(epsilon=self.epsilon, name=name, dtype=dtype)
            for name in names
        ]
        # The stages own the layers; in a dataclass, no layer is listed twice.
        self._parts = TransformerParts(
            position, blocks, class_token, class_blocks, *norms
        )
        self._connect()

    def _make_tokens(self):
        """The layer that makes the tokens that are not patches."""
        return ClassToken(name="class_token", dtype=self.dtype_policy)

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

    def _attention_layer(self, kind, seed):
        return kind(
            self.num_heads,
            self.qkv_bias,
            self.dropout_rate,
            self.attention_dropout_rate,
            seed,
            name="attention",
            dtype=self.dtype_policy,
        )

    def _self_attention_block(self, attention_seed, **options):
        return TransformerBlock(
            self._attention_layer(SelfAttention, attention_seed), **options
        )

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

    @property
    def layer_groups(self) -> list[list[keras.layers.Layer]]:
        """Stem with position and tokens; each block; the last normalisation."""
        parts = self._parts
        first = [self.stem, parts.position, parts.class_token, parts.first_norm]
        return [
            [layer for layer in first if layer is not None],
            *([block] for block in (*parts.blocks, *parts.class_blocks)),
            [parts.norm],
        ]

    def make_stem(self, name: str = "stem") -> keras.Model:
        images = keras.Input(self.image_shape, name="images")
        # Each variable of a model needs its own path: PyTorch's trainer keeps only one
        # variable per path.
        embedding = PatchEmbedding(
            self.width,
            self.patch_size,
            # The normalisation after it has its own offset.
            use_bias=not self._has_first_norm,
            name=name.replace("stem", "patch_embedding"),
            dtype=self.dtype_policy,
        )
        grid = embedding(normalized(images, self.mean, self.std))
        return keras.Model(images, grid, name=name)

    def head_initializer(self) -> keras.initializers.Initializer | None:
        return None

    def apply_position(self, grid: Any) -> Any:
        return self._parts.position(grid)

    def apply_blocks(
        self, grid: Any, maps: dict[str, Any] | None = None, between: Any = None
    ) -> Any:
        for i, block in enumerate(self._parts.blocks):
            record_attention(maps, block, grid)
            grid = block(grid)
            if between is not None:
                grid = between(i, grid)
        return grid

    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        return self._read_grid(grid, maps)

    def _read_grid(self, grid, maps):
        token = self._parts.class_token(grid)
        for block in self._parts.class_blocks:
            record_attention(maps, block, token, grid)
            token = block(token, grid)
        return self._parts.norm(token)

    def apply_trunk_per_source(
        self,
        grid: Any,
        attribution: SourceEmbedding | SourceEncoding,
        source: int | None = None,
        maps: dict[str, Any] | None = None,
    ) -> Any:
        if type(attribution) is not SourceEmbedding or not self._can_share_grid():
            return super().apply_trunk_per_source(grid, attribution, source, maps)
        vectors = attribution(grid, source=source, added=False)
        if maps is not None or not isinstance(grid, keras.KerasTensor):
            return self._read_shared_grid(grid, vectors, maps)
        # A separate stage, like `trunk` in other graphs.
        inputs = [
            keras.Input(batch_shape=x.shape, dtype=self.compute_dtype, name=name)
            for name, x in (("grid", grid), ("vectors", vectors))
        ]
        features = self._read_shared_grid(*inputs)
        return keras.Model(inputs, features, name="trunk")([grid, vectors])

    def _read_shared_grid(self, grid, vectors, maps=None):
        epsilon, dtype = self.epsilon, self.dtype_policy
        standardization = Standardization(epsilon, name="standardization", dtype=dtype)
        statistics = SourceStatistics(epsilon, name="source_statistics", dtype=dtype)
        standard, deviations = standardization(grid)
        sources = statistics(standard, deviations, vectors)
        # One token for all subnetworks, until the first block has read their grids.
        token = self._parts.class_token(grid)
        for block in self._parts.class_blocks:
            record_attention(maps, block, token, standard, *sources)
            token = block(token, standard, *sources)
        features = self._parts.norm(ops.reshape(token, (-1, token.shape[-1])))
        return ops.reshape(features, (-1, vectors.shape[0], features.shape[-1]))

    def _can_share_grid(self):
        """Whether the trunk is the one of this class, not overridden by a subclass."""
        blocks = self._parts.class_blocks
        return type(self).apply_trunk is VisionTransformer.apply_trunk and all(
            type(block) is ClassAttentionBlock
            and type(block.attention) is ClassAttention
            and block.attention_norm.epsilon == self.epsilon
            for block in blocks
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "width": self.width,
            "num_heads": self.num_heads,
            "num_blocks": self.num_blocks,
            "num_class_blocks": self.num_class_blocks,
            "mlp_ratio": self.mlp_ratio,
            "qkv_bias": self.qkv_bias,
            "layer_scale": self.layer_scale,
            "epsilon": self.epsilon,
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "stochastic_depth_rate": self.stochastic_depth_rate,
            "mean": self.mean,
            "std": self.std,
            "seed": self.seed,
            "recompute": self.recompute,
        }
