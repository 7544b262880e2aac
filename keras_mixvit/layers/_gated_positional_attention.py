from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import is_number, require, require_heads
from keras_mixvit.layers._attention import Attention
from keras_mixvit.layers._cpu_gradients import flat, repeat_on_batch
from keras_mixvit.layers._inner_calls import reshape, within
from keras_mixvit.layers._mlp import linear, normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class GatedPositionalAttention(Attention):
    """Gated positional self-attention (GPSA) over a grid of any shape.

    The attention weights are `(1 - s) softmax(q kᵀ / sqrt(d_h)) + s softmax(p)`, with
    d_h features per head. Each head has one learned gate `s = sigmoid(g)`. The
    positional scores p are linear in (dx, dy, dx² + dy²), where (dx, dy) is the offset
    of the key from the query in tokens. Both softmaxes sum to 1, so their weighted mean
    does, too; the published code divides it by its sum once more. The positional part
    does not depend on the images: it is computed once per call. Its scores are a sum
    over the two axes, so its softmax is the product of a softmax over rows and one over
    columns. Softmaxes and positional scores are computed in float32.

    At the start, the first k² heads, k = floor(sqrt(num_heads)), look at the k x k
    neighbours of a token, as a convolution does. Further heads have random positional
    scores. Values are the tokens themselves, and every gate is sigmoid(1) = 0.73.

    Args:
        num_heads: Integer, the number of attention heads.
        qkv_bias: Boolean, whether query, key and value have biases. Defaults
            to `False`.
        locality_strength: Positive float, how sharply a head looks at its
            neighbour at the start. Defaults to `1.0`.
        grid_shape: Tuple of integers (h, w), the grid of one image, or `None` for the
            grid that the layer is built on. If the input stacks several such grids
            along its height, each grid gets the same positional scores. Defaults to
            `None`.
        dropout_rate: Float in [0, 1), dropout of the output. Defaults to
            `0.0`.
        attention_dropout_rate: Float in [0, 1), dropout of attention weights.
            Defaults to `0.0`.
        seed: Integer seed of initialisation and dropout, or `None`. Defaults
            to `None`.

    Input shape:
        `(B, h, w, d)` or, for M stacked grids, `(B, M·h, w, d)`; `num_heads` must
        divide d.

    Output shape:
        As the input.

    Raises:
        ValueError: If `num_heads` does not divide d, an argument is out of
            its range, or the input is not a stack of grids of `grid_shape`.

    Example:

    ```python
    attention = GatedPositionalAttention(num_heads=4)
    assert attention(np.zeros((2, 4, 6, 16))).shape == (2, 4, 6, 16)
    ```

    References:
        ConViT, Section 3; MixViT, Appendix H and Appendix D.3 (all tokens).
    """

    def __init__(
        self,
        num_heads: int,
        qkv_bias: bool = False,
        locality_strength: float = 1.0,
        grid_shape: tuple[int, int] | None = None,
        dropout_rate: float = 0.0,
        attention_dropout_rate: float = 0.0,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(
            num_heads, qkv_bias, dropout_rate, attention_dropout_rate, seed, **kwargs
        )
        require(
            is_number(locality_strength) and locality_strength > 0,
            "`locality_strength` must be positive.",
            locality_strength=locality_strength,
        )
        self.locality_strength = locality_strength
        self.grid_shape = None if grid_shape is None else tuple(grid_shape)

    def build(self, input_shape: tuple) -> None:
        width = input_shape[-1]
        require_heads(width, self.num_heads)
        if self.grid_shape is None:
            self._grid_shape = tuple(input_shape[1:3])
        else:
            self._grid_shape = self.grid_shape
        self._copies(input_shape)
        dtype, bias = self.dtype_policy, self.qkv_bias
        self.query_key = linear(2 * width, use_bias=bias, dtype=dtype, name="query_key")
        self.value = linear(
            width,
            use_bias=bias,
            dtype=dtype,
            name="value",
            kernel_initializer=keras.initializers.Identity(),
        )
        self.projection = linear(width, dtype=dtype, name="projection")
        for layer in (self.query_key, self.value, self.projection):
            layer.build(input_shape)
        # Never cast these to bfloat16, which would round squared distances away.
        self.position_kernel = self.add_weight(
            name="position_kernel",
            shape=(3, self.num_heads),
            initializer=self._local_heads,
            autocast=False,
        )
        self.position_bias = self.add_weight(
            name="position_bias",
            shape=(self.num_heads,),
            initializer="zeros",
            autocast=False,
        )
        self.gate = self.add_weight(
            name="gate", shape=(self.num_heads,), initializer="ones", autocast=False
        )

    def positional_attention(self, copies: int = 1) -> Any:
        """Positional weights `(num_heads, N, N)`; N counts the tokens of all copies."""
        rows, columns = self._grid_shape
        kernel = ops.cast(self.position_kernel, "float32")
        bias = ops.cast(self.position_bias, "float32")
        # The bias shifts all scores of a head by the same amount, which the softmax
        # ignores. It is used so that every backend gives it a gradient.
        along_columns = self._axis_attention(columns, kernel[0], kernel[2], bias)
        along_rows = self._axis_attention(rows, kernel[1], kernel[2], 0.0 * bias)
        weights = along_rows[:, :, None, :, None] * along_columns[:, None, :, None, :]
        weights = reshape(weights, (self.num_heads, rows * columns, -1))
        return ops.tile(weights, (1, copies, copies)) / copies

    def _axis_attention(self, length, linear_weight, square_weight, bias):
        offsets = np.arange(length) - np.arange(length)[:, None]
        offsets = ops.convert_to_tensor(offsets, "float32")
        scores = (
            linear_weight[:, None, None] * offsets
            + square_weight[:, None, None] * offsets**2
            + bias[:, None, None]
        )
        return ops.softmax(scores, axis=-1)

    def attention(self, grid: Any) -> Any:
        """Attention weights `(B, num_heads, N, N)` in the compute dtype."""
        return self._weights(ops.cast(grid, self.compute_dtype), self.query_key)

    def _weights(self, grid, query_key):
        _, height, width, features = grid.shape
        tokens = height * width
        query_key = reshape(
            query_key(flat(grid)),
            (-1, tokens, 2, self.num_heads, features // self.num_heads),
        )
        query, key = (ops.transpose(query_key[:, :, i], (0, 2, 1, 3)) for i in (0, 1))
        scores = self._scores(query, key)
        # Keeps full precision until the gate.
        content = ops.softmax(ops.cast(scores, "float32"), axis=-1)
        gate = ops.sigmoid(ops.cast(self.gate, "float32"))[:, None, None]
        position = gate * self.positional_attention(self._copies(grid.shape))
        position = repeat_on_batch(position, content)
        return ops.cast((1 - gate) * content + position, self.compute_dtype)

    def call(self, grid: Any, training: bool | None = None) -> Any:
        _, height, width, features = grid.shape
        weights = self._weights(grid, within(self, self.query_key))
        weights = within(self, self.attention_dropout)(weights, training=training)
        value = reshape(
            within(self, self.value)(flat(grid)),
            (-1, height * width, self.num_heads, features // self.num_heads),
        )
        attended = ops.matmul(weights, ops.transpose(value, (0, 2, 1, 3)))
        return self._project(attended, grid.shape, training)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "locality_strength": self.locality_strength,
            "grid_shape": self.grid_shape,
        }

    def _copies(self, shape):
        rows, columns = self._grid_shape
        require(
            shape[1] % rows == 0 and shape[2] == columns,
            f"`grid` must stack grids of shape {self._grid_shape} along its height.",
            shape=tuple(shape),
        )
        return shape[1] // rows

    def _local_heads(self, shape, dtype=None):
        side = int(self.num_heads**0.5)
        heads = np.arange(side * side)
        across = 2 * (heads // side - (side - 1) / 2)
        down = 2 * (heads % side - (side - 1) / 2)
        local = np.stack([across, down, np.full(side * side, -1.0)])
        local = ops.convert_to_tensor(local, dtype)
        others = normal()((3, self.num_heads - side * side), dtype)
        return self.locality_strength * ops.concatenate([local, others], axis=1)
