from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require_positive_integer, require_rate
from keras_mixvit._seeds import child_seed
from keras_mixvit.layers._cpu_gradients import flat, unflat
from keras_mixvit.layers._dropout import Dropout
from keras_mixvit.layers._inner_calls import reshape, within


class Attention(keras.layers.Layer):
    """Base class of the multi-head attentions: heads, dropout, a float32 softmax.

    A subclass makes its weights and defines `attention`, which returns the attention
    weights without dropout, and `call`.

    Args:
        num_heads: Integer, the number of attention heads.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `True`.
        dropout_rate: Float in [0, 1), dropout of the output. Defaults to
            `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.
        **kwargs: Further arguments of the layer.

    Raises:
        ValueError: If `num_heads` is not a positive integer, or a rate is not
            in [0, 1).
    """

    def __init__(
        self,
        num_heads: int,
        qkv_bias: bool = True,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
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
        self.dropout = Dropout(
            dropout_rate, seed=child_seed(seed, 0), dtype=self.dtype_policy
        )
        self.attention_dropout = Dropout(
            attention_dropout_rate, seed=child_seed(seed, 1), dtype=self.dtype_policy
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "qkv_bias": self.qkv_bias,
            "dropout_rate": self.dropout_rate,
            "attention_dropout_rate": self.attention_dropout_rate,
            "seed": self.seed,
        }

    def _scores(self, query, key):
        """Scaled products of queries and keys `(B, num_heads, T, d / num_heads)`."""
        query = query * query.shape[-1] ** -0.5
        return ops.matmul(query, ops.transpose(key, (0, 1, 3, 2)))

    def _softmax(self, scores):
        weights = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        return ops.cast(weights, self.compute_dtype)

    def _project(self, attended, shape, training):
        """The output of a shape from heads `(B, num_heads, T, d / num_heads)`."""
        attended = ops.transpose(attended, (0, 2, 1, 3))
        attended = reshape(attended, (-1, *shape[1:]))
        attended = within(self, self.projection)(flat(attended))
        return within(self, self.dropout)(unflat(attended, shape), training=training)
