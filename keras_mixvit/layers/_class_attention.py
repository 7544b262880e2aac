from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require_heads
from keras_mixvit.layers._attended_tokens import (
    AttendedTokens,
    SharedTokens,
    per_subnetwork,
)
from keras_mixvit.layers._attention import Attention
from keras_mixvit.layers._inner_calls import reshape, within
from keras_mixvit.layers._mlp import normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ClassAttention(Attention):
    """Attention of one class token over itself and a grid of tokens.

    There is a single query, so keys and values of the grid are never computed. With u
    the tokens (the class token u_0 first) and q = u_0 W_q + b_q, the scores of a head
    are `(q W_kᵀ) uᵀ + q·b_k`, and its value is `(a u) W_v + b_v`: the two products of
    every token with a d x d matrix disappear, forward and backward. Function,
    parameters and their layout are those of the usual form. The softmax is computed in
    float32.

    M subnetworks may share one grid x, where their tokens differ by what can be
    absorbed, too. With gain g, offset b and a vector v_m of subnetwork m, token
    n is `u_mn = g (s_mn x_n + r_mn v_m) + b`. A score of absorbed query a is
    `s_mn (a g)ᵀ x_n + r_mn (a g)ᵀ v_m + aᵀ b`, and the sum of the tokens with
    weights w is `g (∑ w_n s_mn x_n + v_m ∑ w_n r_mn) + b ∑ w_n`: the product
    over N tokens is that of all queries with one grid. `ClassAttentionBlock`
    gives g and b.

    Args:
        num_heads: Integer, the number of attention heads.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `True`.
        dropout_rate: Float in [0, 1), dropout of the output. Defaults to
            `0.0`.
        attention_dropout_rate: Float in [0, 1), the share of attention
            weights dropped in training. Defaults to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.

    Call arguments:
        token: The class tokens, `(B, d)`, or `(B, M, d)` if M subnetworks share
            a grid. With a shared grid, `(B, d)` is one token for all of them.
        grid: The tokens attended to, `(B, h, w, d)`, or the x that they share.
        gain: The gain g, `(d,)`, or `None` for tokens as they are. It comes
            with the four that follow.
        offset: The offset b, `(d,)`, or `None`.
        scales: The scales s, `(B, M, h, w)`, or `None`.
        rates: The rates r, `(B, M, h, w)`, or `None`.
        vectors: The vectors v, `(M, d)`, or `None`.
        training: Boolean, whether to apply dropout.

    Input shape:
        `(B, d)` and `(B, h, w, d)`, `num_heads` dividing d.

    Output shape:
        As the class tokens, `(B, M, d)` with a shared grid.

    Raises:
        ValueError: If `num_heads` does not divide d or is not a positive
            integer, or a rate is not in [0, 1).

    Example:

    ```python
    attention = ClassAttention(num_heads=4)
    token = attention(np.zeros((2, 16)), np.zeros((2, 8, 8, 16)))
    assert token.shape == (2, 16)
    ```

    References:
        MixViT, Eq. 3, Section 2.4 and Appendix A; CaiT, Section 3.
    """

    def build(self, token_shape: tuple, grid_shape: tuple) -> None:
        width = token_shape[-1]
        require_heads(width, self.num_heads)
        has_bias = self.qkv_bias
        self.query_kernel, self.query_bias = self._linear("query", width, has_bias)
        self.key_kernel, self.key_bias = self._linear("key", width, has_bias)
        self.value_kernel, self.value_bias = self._linear("value", width, has_bias)
        self.projection_kernel, self.projection_bias = self._linear("projection", width)

    def _linear(self, name, width, has_bias=True):
        """Kernel and bias of a linear map; `None` for the bias that it lacks."""
        kernel = self.add_weight(
            name=f"{name}_kernel", shape=(width, width), initializer=normal()
        )
        if not has_bias:
            return kernel, None
        bias = self.add_weight(name=f"{name}_bias", shape=(width,), initializer="zeros")
        return kernel, bias

    def attention(self, token: Any, grid: Any, *shared: Any) -> Any:
        """Attention weights `(B, num_heads, 1 + h·w)`, the class token first.

        Args:
            token: As in a call.
            grid: As in a call.
            *shared: Gain, offset, scales, rates and vectors, or none of them.
                With them the weights are `(B·M, num_heads, 1 + h·w)`.
        """
        return self._weights(self._tokens(token, grid, *shared))

    def _weights(self, tokens):
        token = tokens.token
        width = token.shape[-1]
        head_width = width // self.num_heads
        query = ops.matmul(token, self.query_kernel)
        if self.qkv_bias:
            query = query + self.query_bias
        query = reshape(query, (-1, self.num_heads, head_width))
        query = query * head_width**-0.5
        absorbed = ops.einsum("bhe,dhe->bhd", query, self._per_head(self.key_kernel))
        scores = tokens.scores(absorbed)
        if self.qkv_bias:
            # A constant of each head: the softmax ignores it, but the key bias
            # stays in the graph, so that every backend gives it a gradient.
            bias = reshape(self.key_bias, (self.num_heads, head_width))
            constant = ops.sum(query * bias, axis=-1, keepdims=True)
            scores = scores + tokens.each(constant)
        return self._softmax(scores)

    def call(
        self,
        token: Any,
        grid: Any,
        gain: Any = None,
        offset: Any = None,
        scales: Any = None,
        rates: Any = None,
        vectors: Any = None,
        training: bool | None = None,
    ) -> Any:
        tokens = self._tokens(token, grid, gain, offset, scales, rates, vectors)
        weights = self._weights(tokens)
        weights = within(self, self.attention_dropout)(weights, training=training)
        pooled = tokens.weighted_sum(weights)
        value = ops.einsum("bhd,dhe->bhe", pooled, self._per_head(self.value_kernel))
        if self.qkv_bias:
            bias = reshape(self.value_bias, (self.num_heads, -1))
            # Weights sum to 1 unless dropout took some away.
            if self.attention_dropout_rate:
                bias = ops.sum(weights, axis=-1, keepdims=True) * bias
            value = value + bias
        width = token.shape[-1]
        value = reshape(value, (-1, width))
        output = ops.matmul(value, self.projection_kernel) + self.projection_bias
        output = within(self, self.dropout)(output, training=training)
        if vectors is None:
            return output
        return reshape(output, (-1, vectors.shape[0], width))

    # Keras asks by the names of the arguments of `call`.
    def compute_output_shape(  # type: ignore[override]
        self,
        token_shape: tuple,
        grid_shape: tuple,
        vectors_shape: tuple | None = None,
    ) -> tuple:
        return per_subnetwork(token_shape, vectors_shape)

    def _per_head(self, kernel):
        width = kernel.shape[0]
        return reshape(kernel, (width, self.num_heads, -1))

    def _tokens(self, token, grid, *shared):
        if all(value is None for value in shared):
            return AttendedTokens(token, grid)
        return SharedTokens(token, grid, *shared)
