import keras
from keras import ops

from keras_mixvit.layers._mlp import normal
from keras_mixvit.layers._self_attention import SelfAttention


@keras.saving.register_keras_serializable(package="keras_mixvit")
class TalkingHeadsAttention(SelfAttention):
    """Self-attention that mixes its heads before and after the softmax.

    A linear layer over the heads acts on the scores, and another one on the attention
    weights. The softmax is computed in float32.

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
        `(B, h, w, d)` or `(B, T, d)`; `num_heads` must divide d.

    Output shape:
        As the input.

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

    def build(self, input_shape: tuple) -> None:
        super().build(input_shape)
        self.score_heads_kernel, self.score_heads_bias = self._heads("score")
        self.weight_heads_kernel, self.weight_heads_bias = self._heads("weight")

    def _heads(self, name):
        """Kernel and bias of a linear map over the heads."""
        shape = (self.num_heads, self.num_heads)
        kernel = self.add_weight(
            name=f"{name}_heads_kernel", shape=shape, initializer=normal()
        )
        bias = self.add_weight(
            name=f"{name}_heads_bias", shape=shape[:1], initializer="zeros"
        )
        return kernel, bias

    def _weights(self, query, key):
        scores = self._scores(query, key)
        scores = self._talk(scores, self.score_heads_kernel, self.score_heads_bias)
        weights = self._softmax(scores)
        return self._talk(weights, self.weight_heads_kernel, self.weight_heads_bias)

    def _talk(self, maps, kernel, bias):
        return ops.einsum("bhij,hg->bgij", maps, kernel) + bias[:, None, None]
