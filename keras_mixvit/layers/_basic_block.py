from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.layers._convolution import batch_norm, convolution, strided_shape
from keras_mixvit.layers._inner_calls import within
from keras_mixvit.layers._recomputation import RecomputableLayer, recomputable


@keras.saving.register_keras_serializable(package="keras_mixvit")
class BasicBlock(RecomputableLayer):
    """The residual block of ResNet-18: convolution, batch norm, ReLU, twice.

    The first convolution has the stride. If the stride is not 1 or the number of
    channels changes, the shortcut is a 1 x 1 convolution with a batch norm.
    Padding is symmetric, as in PyTorch's networks.

    Args:
        filters: Integer, the number of channels of the output.
        stride: Integer, the stride of the block. Defaults to `1`.
        l2: Non-negative float, the weight of the sum of squares of all
            parameters in the loss. Defaults to `0.0`.
        recompute: Boolean, whether to compute the block again in the backward pass,
            which saves memory. Defaults to `False`.

    Input shape:
        `(B, h, w, c)`.

    Output shape:
        `(B, ceil(h / stride), ceil(w / stride), filters)`.

    Raises:
        ValueError: If an argument is out of its range.

    Example:

    ```python
    block = BasicBlock(filters=32, stride=2)
    assert block(np.zeros((2, 8, 8, 16))).shape == (2, 4, 4, 32)
    ```

    References:
        MixMo, Section 6.9; He et al., Deep Residual Learning, 2016.
    """

    def __init__(
        self,
        filters: int,
        stride: int = 1,
        l2: float = 0.0,
        recompute: bool = False,
        **kwargs: Any,
    ):
        super().__init__(recompute, **kwargs)
        require_positive_integer("filters", filters)
        require_positive_integer("stride", stride)
        require(0 <= l2 < float("inf"), "`l2` must not be negative.", l2=l2)
        self.filters = filters
        self.stride = stride
        self.l2 = l2

    def build(self, input_shape: tuple) -> None:
        options = {"l2": self.l2, "dtype": self.dtype_policy}
        shape = tuple(input_shape)
        inner = (*shape[:-1], self.filters)
        self.convolutions = [
            convolution(
                self.filters,
                stride=stride,
                padding="valid",
                name=f"convolution_{i}",
                **options,
            )
            for i, stride in enumerate((self.stride, 1))
        ]
        self.norms = [batch_norm(name=f"norm_{i}", **options) for i in range(2)]
        self.shortcut: Any = None
        self.shortcut_norm: Any = None
        if self.stride != 1 or shape[-1] != self.filters:
            self.shortcut = convolution(
                self.filters, 1, self.stride, name="shortcut", **options
            )
            self.shortcut_norm = batch_norm(name="shortcut_norm", **options)
            self.shortcut.build(shape)
            self.shortcut_norm.build(inner)
        for conv, conv_shape in zip(self.convolutions, (shape, inner), strict=True):
            # Keras refuses grids smaller than a kernel, and padding comes only later.
            conv.build((conv_shape[0], None, None, conv_shape[-1]))
        for norm in self.norms:
            norm.build(inner)

    @recomputable
    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden, shortcut = inputs, inputs
        if self.shortcut is not None:
            shortcut = within(self, self.shortcut)(inputs)
            shortcut = within(self, self.shortcut_norm)(shortcut, training=training)
        for i in range(2):
            hidden = ops.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0)))
            hidden = within(self, self.convolutions[i])(hidden)
            hidden = within(self, self.norms[i])(hidden, training=training)
            hidden = ops.relu(hidden if i == 0 else hidden + shortcut)
        return hidden

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return strided_shape(input_shape, self.stride, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "stride": self.stride,
            "l2": self.l2,
        }
