from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
    require_rate,
)
from keras_mixvit._seeds import child_seed
from keras_mixvit.backbones._attention_map import record_attention
from keras_mixvit.backbones._features import joined, parted, with_prefix
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import PrefixTokens, SelfAttention

POOLINGS = ("token", "average", "distilled")


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ViT(VisionTransformer):
    """ViT: self-attention over class token, registers and patches in all blocks.

    With other options it is DeiT, DeiT-III, DINOv2 or the image tower of CLIP. Class
    token and registers join before the first block. The body passes the grid and these
    prefix tokens to the trunk, `[(B, h, w, d), (B, P, d)]`, or the grid alone if there
    are none. The trunk is the last `num_class_blocks` blocks. The last one outputs only
    the class token, so it is computed as class attention: the same function and
    parameters, without unused queries. With other poolings, it is a block like the
    others.

    A distilled DeiT has a second token and a second head, and predicts the mean of both
    heads. That is one head on both tokens: with `pooling="distilled"`, the output has
    2 `width` features, and a head reads all of them.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(32, 32, 3)`.
        patch_size: Integer, the side of a patch in pixels. Defaults to `4`.
        width: Integer, the number d of features of a token. Defaults to
            `192`.
        num_heads: Integer that divides `width`. Defaults to `3`.
        num_blocks: Integer, the number of blocks of the body. Defaults to
            `10`.
        num_class_blocks: Integer, the number of blocks of the trunk. Defaults
            to `2`.
        pooling: `"token"`, the output is the class token; `"average"`, the mean of the
            patches; or `"distilled"`, class token and distillation token, one after the
            other. Defaults to `"token"`.
        class_token: Boolean, whether there is a class token; if not, `pooling` must be
            `"average"`. Defaults to `True`.
        num_registers: Integer, the number of register tokens. Defaults to `0`.
        prefix_positions: Boolean, whether class token and registers have
            entries in the position table. Defaults to `True`.
        norm_after_pooling: Boolean, whether the last normalisation comes after the
            pooling; `None` is `True` for average pooling and `False` otherwise.
            Defaults to `None`.
        mlp_ratio: Positive float, hidden features of an MLP per feature of a
            token. Defaults to `4.0`.
        mlp_activation: `"gelu"`, `"quick_gelu"` or `"swiglu"`, as in `MLP`. Defaults to
            `"gelu"`.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `True`.
        layer_scale: Positive float, the initial gain of every branch, or
            `None` for no gain. Defaults to `None`.
        epsilon: Positive float, the epsilon of the normalisations. Defaults
            to `1e-06`.
        dropout_rate: Float in [0, 1), dropout after position and in
            attention outputs and MLPs. Defaults to `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1), stochastic depth of the last
            block. Defaults to `0.0`.
        stochastic_depth_rises: Boolean, whether the rate rises linearly from 0 in the
            first block; otherwise all blocks have the same rate. Defaults to `True`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        seed: Integer seed of dropout and stochastic depth, or `None`.
            Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"vit"`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.
        pre_norm: Boolean, whether the tokens are normalised before the first block, as
            in CLIP; then the patch embedding has no bias. Defaults to `False`.

    Input shape:
        `(B, H, W, C)`.

    Output shape:
        `(B, width)`; `(B, 2 width)` with `pooling="distilled"`.

    Raises:
        ValueError: If `patch_size` does not divide the image size, `num_heads` does not
            divide the width, or an argument is out of its range.

    Example:

    ```python
    backbone = ViT((16, 16, 1), width=24, num_heads=4, num_blocks=1, num_registers=2)
    grid, prefix = backbone.body(backbone.stem(np.zeros((2, 16, 16, 1))))
    assert grid.shape == (2, 4, 4, 24)
    assert prefix.shape == (2, 3, 24)
    assert backbone.trunk([grid, prefix]).shape == (2, 24)
    ```

    References:
        ViT (Dosovitskiy et al., 2021); DeiT (Touvron et al., 2021); DeiT-III
        (Touvron et al., 2022); DINOv2 (Oquab et al., 2024).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        patch_size: int = 4,
        width: int = 192,
        num_heads: int = 3,
        num_blocks: int = 10,
        num_class_blocks: int = 2,
        pooling: str = "token",
        class_token: bool = True,
        num_registers: int = 0,
        prefix_positions: bool = True,
        norm_after_pooling: bool | None = None,
        mlp_ratio: float = 4.0,
        mlp_activation: str = "gelu",
        qkv_bias: bool = True,
        layer_scale: float | None = None,
        epsilon: float = 1e-6,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        stochastic_depth_rate: float = 0.0,
        stochastic_depth_rises: bool = True,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        seed: int | None = None,
        recompute: bool = False,
        name: str = "vit",
        dtype: Any = None,
        pre_norm: bool = False,
    ):
        require_choice("pooling", pooling, POOLINGS)
        require(
            class_token or pooling == "average",
            "`class_token` must be True, or `pooling` 'average'.",
            class_token=class_token,
            pooling=pooling,
        )
        require_positive_integer("num_registers", num_registers, minimum=0)
        require(
            num_registers == 0 or pooling != "distilled",
            "`num_registers` must be 0 with `pooling` 'distilled'.",
            num_registers=num_registers,
        )
        require_choice("norm_after_pooling", norm_after_pooling, (True, False, None))
        super().__init__(
            image_shape,
            patch_size,
            width,
            num_heads,
            num_blocks,
            num_class_blocks,
            mlp_ratio,
            qkv_bias,
            layer_scale,
            epsilon,
            dropout_rate,
            attention_dropout_rate,
            stochastic_depth_rate,
            mean,
            std,
            seed,
            recompute,
            name,
            dtype,
        )
        self.pooling = pooling
        self.class_token = bool(class_token)
        self.num_registers = num_registers
        self.prefix_positions = bool(prefix_positions)
        self.norm_after_pooling = norm_after_pooling
        self.mlp_activation = mlp_activation
        self.stochastic_depth_rises = bool(stochastic_depth_rises)
        self.pre_norm = self._has_first_norm = bool(pre_norm)
        self._make_network()

    @property
    def num_prefix_tokens(self) -> int:
        """The number P of prefix tokens: class, distillation and register tokens."""
        return int(self.class_token) + self.num_registers + self.is_distilled

    @property
    def is_distilled(self) -> bool:
        """Whether there is a distillation token, which comes after the class token."""
        return self.pooling == "distilled"

    @property
    def normalizes_mean(self) -> bool:
        """Whether the last normalisation comes after the pooling."""
        if self.norm_after_pooling is None:
            return self.pooling == "average"
        return self.norm_after_pooling

    def _attention(self, seed):
        return self._attention_layer(SelfAttention, seed)

    def _class_block(self, index, attention_seed, **options):
        is_last = index == self.num_class_blocks - 1
        if is_last and self.pooling == "token":
            return super()._class_block(index, attention_seed, **options)
        return self._self_attention_block(attention_seed, **options)

    def _block_options(self, stochastic_depth_rate, dropout_rate, seed_index):
        options = super()._block_options(
            stochastic_depth_rate, dropout_rate, seed_index
        )
        return {**options, "mlp_activation": self.mlp_activation}

    def _make_tokens(self):
        if not self.num_prefix_tokens:
            return None
        seed_index = 1 + 2 * (self.num_blocks + self.num_class_blocks)
        return PrefixTokens(
            self.class_token,
            # A distillation token is a register that the head reads.
            self.num_registers + self.is_distilled,
            self.prefix_positions,
            self.dropout_rate,
            child_seed(self.seed, seed_index),
            name="prefix_tokens",
            dtype=self.dtype_policy,
        )

    def _stochastic_depth_rates(self):
        require_rate("stochastic_depth_rate", self.stochastic_depth_rate)
        blocks = self.num_blocks + self.num_class_blocks
        first = 0 if self.stochastic_depth_rises else self.stochastic_depth_rate
        return np.linspace(first, self.stochastic_depth_rate, blocks)

    def apply_position(self, grid: Any) -> Any:
        tokens = self._parts.class_token
        prefix = None if tokens is None else tokens(grid)
        return with_prefix(super().apply_position(grid), prefix)

    def apply_blocks(
        self, grid: Any, maps: dict[str, Any] | None = None, between: Any = None
    ) -> Any:
        tokens = joined(grid)
        if self.pre_norm:
            tokens = self._parts.first_norm(tokens)
        return parted(super().apply_blocks(tokens, maps, between), like=grid)

    def apply_trunk(self, grid: Any, maps: dict[str, Any] | None = None) -> Any:
        *blocks, last_block = self._parts.class_blocks
        tokens = joined(grid)
        for block in blocks:
            record_attention(maps, block, tokens)
            tokens = block(tokens)
        if self.pooling == "token":
            # Class attention treats registers as further patches.
            token, others = tokens[:, 0], ops.expand_dims(tokens[:, 1:], 1)
            record_attention(maps, last_block, token, others)
            return self._parts.norm(last_block(token, others))
        record_attention(maps, last_block, tokens)
        tokens = last_block(tokens)
        if self.is_distilled:
            return ops.reshape(self._parts.norm(tokens[:, :2]), (-1, 2 * self.width))
        # Without prefix tokens, this is the grid.
        patches = tokens[:, self.num_prefix_tokens :]
        axes = tuple(range(1, len(patches.shape) - 1))
        if self.normalizes_mean:
            return self._parts.norm(ops.mean(patches, axis=axes))
        return ops.mean(self._parts.norm(patches), axis=axes)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pooling": self.pooling,
            "class_token": self.class_token,
            "num_registers": self.num_registers,
            "prefix_positions": self.prefix_positions,
            "norm_after_pooling": self.norm_after_pooling,
            "mlp_activation": self.mlp_activation,
            "stochastic_depth_rises": self.stochastic_depth_rises,
            "pre_norm": self.pre_norm,
        }
