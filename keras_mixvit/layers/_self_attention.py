import math
from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require_heads
from keras_mixvit.layers._attention import Attention
from keras_mixvit.layers._cpu_gradients import flat
from keras_mixvit.layers._inner_calls import reshape, within
from keras_mixvit.layers._mlp import linear


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SelfAttention(Attention):
    """Multi-head self-attention over a sequence or a grid of tokens.

    Each head computes $\\mathrm{softmax}(q k^T / \\sqrt{d_h}) v$ with $d_h$ features.
    One product makes query, key and value, as in the published vision transformers. The
    softmax is computed in float32.

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
        `(B, T, d)` or `(B, h, w, d)`; `num_heads` must divide d.

    Output shape:
        As the input.

    Raises:
        ValueError: If `num_heads` does not divide d or is not a positive
            integer, or a rate is not in [0, 1).

    Example:

    ```python
    attention = SelfAttention(num_heads=4)
    assert attention(np.zeros((2, 65, 16))).shape == (2, 65, 16)
    ```

    References:
        MixViT, Section 2.1 and Appendix A; ConViT, Section 2.
    """

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        require_heads(width, self.num_heads)
        dtype = self.dtype_policy
        self.qkv = linear(3 * width, use_bias=self.qkv_bias, dtype=dtype, name="qkv")
        self.projection = linear(width, dtype=dtype, name="projection")
        self.qkv.build(input_shape)
        self.projection.build(input_shape)

    def attention(self, tokens: Any) -> Any:
        """Attention weights `(B, num_heads, T, T)` of T tokens."""
        query, key, _ = self._split(ops.cast(tokens, self.compute_dtype), self.qkv)
        return self._weights(query, key)

    def call(self, tokens: Any, training: bool | None = None) -> Any:
        query, key, value = self._split(tokens, within(self, self.qkv))
        weights = self._weights(query, key)
        weights = within(self, self.attention_dropout)(weights, training=training)
        return self._project(ops.matmul(weights, value), tokens.shape, training)

    def _split(self, tokens, qkv):
        """Query, key and value, each `(B, num_heads, T, d / num_heads)`."""
        _, *positions, features = tokens.shape
        head_shape = (self.num_heads, features // self.num_heads)
        heads = reshape(qkv(flat(tokens)), (-1, math.prod(positions), 3, *head_shape))
        return (ops.transpose(heads[:, :, i], (0, 2, 1, 3)) for i in range(3))

    def _weights(self, query, key):
        return self._softmax(self._scores(query, key))
