from collections.abc import Sequence
from typing import Any

import keras

from keras_mixvit._checks import require_rate
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import TalkingHeadsAttention


@keras.saving.register_keras_serializable(package="keras_mixvit")
class CaiT(VisionTransformer):
    """CaiT: talking-heads self-attention blocks, class attention, layer scale.

    The defaults are those of CaiT-XXS-24. As in the published CaiT, all self-attention
    blocks have the same rate of stochastic depth, and class-attention blocks have
    neither stochastic depth nor dropout.

    Args:
        image_shape: Tuple of integers (H, W, C). Defaults to `(32, 32, 3)`.
        patch_size: Integer, the side of a patch in pixels. Defaults to `4`.
        width: Integer, the number d of features of a token. Defaults to
            `192`.
        num_heads: Integer that divides `width`. Defaults to `4`.
        num_blocks: Integer, the number of talking-heads blocks. Defaults to
            `24`.
        num_class_blocks: Integer, the number of class-attention blocks.
            Defaults to `2`.
        mlp_ratio: Positive float, hidden features of an MLP per feature of a
            token. Defaults to `4.0`.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `True`.
        layer_scale: Positive float, the initial gain of every branch, or
            `None` for no gain. Defaults to `1e-05`.
        epsilon: Positive float, the epsilon of the normalisations. Defaults
            to `1e-06`.
        dropout_rate: Float in [0, 1), dropout after position and in
            attention outputs and MLPs. Defaults to `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        stochastic_depth_rate: Float in [0, 1), stochastic depth of the
            self-attention blocks. Defaults to `0.0`.
        mean: Float or sequence of C floats, subtracted from the images, or
            `None`. Defaults to `None`.
        std: Positive float or sequence of C floats, by which images are then
            divided, or `None`. Defaults to `None`.
        seed: Integer seed of dropout and stochastic depth, or `None`.
            Defaults to `None`.
        recompute: Boolean, whether to compute each block again in the backward pass,
            which saves memory and takes more time. Defaults to `False`.
        name: String, the name of the model. Defaults to `"cait"`.
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
    backbone = CaiT((16, 16, 1), width=24, num_heads=4, num_blocks=2)
    assert backbone(np.zeros((2, 16, 16, 1))).shape == (2, 24)
    ```

    References:
        CaiT (Touvron et al., 2021); MixViT, Section 4 and Appendix H.
    """

    _class_blocks_drop = False

    def __init__(
        self,
        image_shape: tuple[int, int, int] = (32, 32, 3),
        patch_size: int = 4,
        width: int = 192,
        num_heads: int = 4,
        num_blocks: int = 24,
        num_class_blocks: int = 2,
        mlp_ratio: float = 4.0,
        qkv_bias: bool = True,
        layer_scale: float | None = 1e-5,
        epsilon: float = 1e-6,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        stochastic_depth_rate: float = 0.0,
        mean: float | Sequence[float] | None = None,
        std: float | Sequence[float] | None = None,
        seed: int | None = None,
        recompute: bool = False,
        name: str = "cait",
        dtype: Any = None,
    ):
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
        self._make_network()

    def _attention(self, seed):
        return self._attention_layer(TalkingHeadsAttention, seed)

    def _stochastic_depth_rates(self):
        require_rate("stochastic_depth_rate", self.stochastic_depth_rate)
        rates = [self.stochastic_depth_rate] * self.num_blocks
        return rates + [0.0] * self.num_class_blocks
