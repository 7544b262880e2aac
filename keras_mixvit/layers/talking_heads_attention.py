import keras
from keras import ops

from keras_mixvit._checks import (
    require_heads,
    require_positive_integer,
    require_rate,
)
from keras_mixvit._seeds import child_seed
from keras_mixvit.layers.mlp import linear, normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class TalkingHeadsAttention(keras.layers.Layer):
    """Self-attention over a grid whose heads are mixed around the softmax.

    A linear layer over the heads acts on the scores and another one on the
    attention weights. The softmax is computed in float32.

    Args:
        num_heads: Integer, the number of attention heads.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `True`.
        dropout_rate: Float in [0, 1), dropout of the output. Defaults to
            `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.

    Input shape:
        `(B, h, w, d)`, `num_heads` dividing d.

    Output shape:
        `(B, h, w, d)`.

    Raises:
        ValueError: If `num_heads` does not divide d or is not a positive
            integer, or a rate is not in [0, 1).

    Example:

    ```python
    attention = TalkingHeadsAttention(num_heads=4)
    assert attention(np.zeros((2, 8, 8, 16))).shape == (2, 8, 8, 16)
    ```

    References:
        Shazeer et al., Talking-Heads Attention, 2020; CaiT, Section 4.
    """

    def __init__(
        self,
        num_heads: int,
        qkv_bias: bool = True,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        seed: int | None = None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        require_positive_integer("num_heads", num_heads)
        require_rate("dropout_rate", dropout_rate)
        require_rate("attention_dropout_rate", attention_dropout_rate)
        self.num_heads = num_heads
        self.qkv_bias = qkv_bias
        self.dropout_rate = dropout_rate
        self.attention_dropout_rate = attention_dropout_rate
        self.seed = seed
        self.dropout = keras.layers.Dropout(
            dropout_rate, seed=child_seed(seed, 0), dtype=self.dtype_policy
        )
        self.attention_dropout = keras.layers.Dropout(
            attention_dropout_rate, seed=child_seed(seed, 1), dtype=self.dtype_policy
        )

    def build(self, input_shape):
        width = input_shape[-1]
        require_heads(width, self.num_heads)
        dtype = self.dtype_policy
        self.qkv = linear(3 * width, use_bias=self.qkv_bias, dtype=dtype, name="qkv")
        self.projection = linear(width, dtype=dtype, name="projection")
        self.qkv.build(input_shape)
        self.projection.build(input_shape)
        for name in ("score", "weight"):
            kernel = self.add_weight(
                name=f"{name}_heads_kernel",
                shape=(self.num_heads, self.num_heads),
                initializer=normal(),
            )
            bias = self.add_weight(
                name=f"{name}_heads_bias", shape=(self.num_heads,), initializer="zeros"
            )
            setattr(self, f"{name}_heads_kernel", kernel)
            setattr(self, f"{name}_heads_bias", bias)

    def call(self, grid, training=None):
        _, height, width, features = grid.shape
        tokens = height * width
        head_width = features // self.num_heads
        qkv = ops.reshape(self.qkv(grid), (-1, tokens, 3, self.num_heads, head_width))
        query, key, value = (
            ops.transpose(qkv[:, :, i], (0, 2, 1, 3)) for i in range(3)
        )
        weights = self._weights(query, key)
        weights = self.attention_dropout(weights, training=training)
        attended = ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3))
        attended = ops.reshape(attended, (-1, height, width, features))
        return self.dropout(self.projection(attended), training=training)

    def _weights(self, query, key):
        query = query * query.shape[-1] ** -0.5
        scores = ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))
        scores = self._talk(scores, self.score_heads_kernel, self.score_heads_bias)
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        weights = ops.cast(weights, self.compute_dtype)
        return self._talk(weights, self.weight_heads_kernel, self.weight_heads_bias)

    def _talk(self, maps, kernel, bias):
        return ops.einsum("bhij,hg->bgij", maps, kernel) + bias[:, None, None]

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "seed": self.seed,
        }
