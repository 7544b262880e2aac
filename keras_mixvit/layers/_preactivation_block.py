from typing import Any, Self

import keras
from keras import ops

from keras_mixvit._checks import (
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit._old_names import with_new_names
from keras_mixvit.layers._convolution import batch_norm, convolution, strided_shape
from keras_mixvit.layers._inner_calls import within
from keras_mixvit.layers._recomputation import RecomputableLayer, recomputable
from keras_mixvit.layers._torch_images import normalized_relu


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PreActivationBlock(RecomputableLayer):
    """A residual block of two convolutions, each after batch norm and ReLU.

    If the stride is not 1 or the number of channels changes, the shortcut is a 1 x 1
    convolution. The two published networks differ in three points:

    | | WideResNet | PreActResNet |
    |---|---|---|
    | stride in convolution | second | first |
    | padding of the strided convolution | right and below | all around |
    | shortcut of | the input of the block | its first activation |

    Args:
        filters: Integer, the number of channels of the output.
        stride: Integer, the stride of the block. Defaults to `1`.
        kind: `"wide"` or `"preact"`, the columns of the table. Defaults to
            `"wide"`.
        strided_conv: `"second"` or `"first"`, the convolution with the stride, or
            `None` for the one in the table. Defaults to `None`.
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
    block = PreActivationBlock(filters=32, stride=2)
    assert block(np.zeros((2, 8, 8, 16))).shape == (2, 4, 4, 32)
    ```

    References:
        MixMo, Section 4.1; Wide Residual Networks (Zagoruyko and Komodakis,
        2016); He et al., Identity Mappings in Deep Residual Networks, 2016.
    """

    def __init__(
        self,
        filters: int,
        stride: int = 1,
        kind: str = "wide",
        strided_conv: str | None = None,
        l2: float = 0.0,
        recompute: bool = False,
        **kwargs: Any,
    ):
        super().__init__(recompute, **kwargs)
        require_positive_integer("filters", filters)
        require_positive_integer("stride", stride)
        require_choice("kind", kind, ("wide", "preact"))
        require_choice("strided_conv", strided_conv, ("first", "second", None))
        require(0 <= l2 < float("inf"), "`l2` must not be negative.", l2=l2)
        self.filters = filters
        self.stride = stride
        self.kind = kind
        self.strided_conv = strided_conv
        self.l2 = l2
        self._is_wide = kind == "wide"
        strided = strided_conv or ("second" if self._is_wide else "first")
        self._strides = (1, stride) if strided == "second" else (stride, 1)

    def build(self, input_shape: tuple) -> None:
        options = {"l2": self.l2, "dtype": self.dtype_policy}
        shape = tuple(input_shape)
        self.shortcut = None
        if self.stride != 1 or shape[-1] != self.filters:
            self.shortcut = convolution(
                self.filters, 1, self.stride, name="shortcut", **options
            )
            self.shortcut.build(shape)
        self.norms, self.convolutions = [], []
        for i, stride in enumerate(self._strides):
            norm = batch_norm(name=f"norm_{i}", **options)
            conv = convolution(
                self.filters,
                stride=stride,
                padding="same" if self._is_wide else "valid",
                name=f"convolution_{i}",
                **options,
            )
            norm.build(shape)
            # Keras refuses grids smaller than a kernel, and padding comes only later.
            conv.build((shape[0], None, None, shape[-1]))
            shape = (*shape[:-1], self.filters)
            self.norms.append(norm)
            self.convolutions.append(conv)

    @recomputable
    def call(self, inputs: Any, training: bool | None = None) -> Any:
        hidden, shortcut = inputs, inputs
        for i, (norm, conv) in enumerate(
            zip(self.norms, self.convolutions, strict=True)
        ):
            hidden = normalized_relu(self, norm, hidden, training)
            if i == 0 and not self._is_wide and self.shortcut is not None:
                shortcut = hidden
            if not self._is_wide:
                hidden = ops.pad(hidden, ((0, 0), (1, 1), (1, 1), (0, 0)))
            hidden = within(self, conv)(hidden)
        if self.shortcut is not None:
            shortcut = within(self, self.shortcut)(shortcut)
        return hidden + shortcut

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return strided_shape(input_shape, self.stride, self.filters)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "stride": self.stride,
            "kind": self.kind,
            "strided_conv": self.strided_conv,
            "l2": self.l2,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        return cls(**with_new_names(cls, config))
