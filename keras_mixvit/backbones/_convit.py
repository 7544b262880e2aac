from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import require_choice, require_rate
from keras_mixvit.backbones._attention_map import record_attention
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import GatedPositionalAttention


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ConViT(VisionTransformer):
    """ConViT: gated positional self-attention (GPSA) blocks, then a class token.

    The defaults are the MixViT paper's variant, whose trunk is class attention. Section
    4 of the paper says two class-attention blocks, Appendix H two self-attention
    blocks; its Algorithm 2 is class attention. For what the paper leaves open, the
    defaults follow the published ConViT: no query, key and value biases, no layer
    scale, epsilon 1e-6, stochastic depth that rises linearly over all blocks.

    The published ConViT has self-attention over class token and patches instead
    (`trunk_attention="self_attention"`). Its last block outputs only the class token,
    so it is computed as class attention: the same function and parameters, without
    unused queries.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(32, 32, 3)`.
        patch_size: Integer, the side of a patch in pixels. Defaults to `4`.
        width: Integer, the number d of features of a token. Defaults to
            `384`.
        num_heads: Integer that divides `width`. Defaults to `12`.
        num_blocks: Integer, the number of GPSA blocks. Defaults to `5`.
        num_class_blocks: Integer, the number of blocks of the trunk. Defaults
            to `2`.
        trunk_attention: `"class_attention"` or `"self_attention"`, the kind of blocks
            in the trunk. Defaults to `"class_attention"`.
        mlp_ratio: Positive float, hidden features of an MLP per feature of a
            token. Defaults to `4.0`.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `False`.
        layer_scale: Positive float, the initial gain of every branch, or
            `None` for no gain. Defaults to `None`.
        epsilon: Positive float, the epsilon of the normalisations. Defaults
            to `1e-06`.
        locality_strength: Positive float, how sharply heads look at their
            neighbour at the start. Defaults to `1.0`.
        dropout_rate: Float in [0, 1), dropout after position and in
            attention outputs and MLPs. Defaults to `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1), stochastic depth of the last
            block, rising linearly from 0. Defaults to `0.0`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        seed: Integer seed of dropout and stochastic depth, or `None`.
            Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"convit"`.
        dtype: Dtype or dtype policy, or `None` for the global policy.
            Defaults to `None`.

    Input shape:
        `(B, H, W, C)`.

    Output shape:
        `(B, width)`.

    Raises:
        ValueError: If `patch_size` does not divide the image size, `num_heads` does not
            divide the width, or an argument is out of its range.

    Example:

    ```python
    backbone = ConViT((16, 16, 1), width=24, num_heads=4, num_blocks=2)
    assert backbone(np.zeros((2, 16, 16, 1))).shape == (2, 24)
    ```

    References:
        MixViT, Section 4 and Appendix H; ConViT (d'Ascoli et al., 2021).
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        patch_size: int = 4,
        width: int = 384,
        num_heads: int = 12,
        num_blocks: int = 5,
        num_class_blocks: int = 2,
        trunk_attention: str = "class_attention",
        mlp_ratio: float = 4.0,
        qkv_bias: bool = False,
        layer_scale: float | None = None,
        epsilon: float = 1e-6,
        locality_strength: float = 1.0,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        stochastic_depth_rate: float = 0.0,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        seed: int | None = None,
        recompute: bool = False,
        name: str = "convit",
        dtype: Any = None,
    ):
        require_choice(
            "trunk_attention", trunk_attention, ("class_attention", "self_attention")
        )
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
        self.trunk_attention = trunk_attention
        self.locality_strength = locality_strength
        self._make_network()

    def _attention(self, seed):
        return GatedPositionalAttention(
            self.num_heads,
            self.qkv_bias,
            self.locality_strength,
            self.grid_shape,
            self.dropout_rate,
            self.attention_dropout_rate,
            seed,
            name="attention",
            dtype=self.dtype_policy,
        )

    def _class_block(self, index, attention_seed, **options):
        is_last = index == self.num_class_blocks - 1
        if is_last or self.trunk_attention == "class_attention":
            return super()._class_block(index, attention_seed, **options)
        return self._self_attention_block(attention_seed, **options)

    def _read_grid(self, grid, maps):
        if self.trunk_attention == "class_attention":
            return super()._read_grid(grid, maps)
        *blocks, last_block = self._parts.class_blocks
        token = self._parts.class_token(grid)
        _, height, width, features = grid.shape
        patches = ops.reshape(grid, (-1, height * width, features))
        tokens = ops.concatenate([token[:, None], patches], axis=1)
        for block in blocks:
            record_attention(maps, block, tokens)
            tokens = block(tokens)
        token = tokens[:, 0]
        grid = ops.reshape(tokens[:, 1:], (-1, height, width, features))
        record_attention(maps, last_block, token, grid)
        return self._parts.norm(last_block(token, grid))

    def _stochastic_depth_rates(self):
        require_rate("stochastic_depth_rate", self.stochastic_depth_rate)
        blocks = self.num_blocks + self.num_class_blocks
        return np.linspace(0, self.stochastic_depth_rate, blocks)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "trunk_attention": self.trunk_attention,
            "locality_strength": self.locality_strength,
        }
