"""Convolutions and batch norms of the published MixMo networks."""

from typing import Any

import keras

from keras_mixvit.layers._batch_normalization import SynchronizedBatchNormalization
from keras_mixvit.layers._cpu_gradients import convolve, is_jax_on_cpu
from keras_mixvit.layers._inner_calls import ON_TORCH
from keras_mixvit.layers._torch_images import convolve_views


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Convolution(keras.layers.Conv2D):
    """Keras' convolution of images, faster on PyTorch and on JAX with a CPU."""

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        if self.data_format == "channels_last":
            if ON_TORCH:
                return convolve_views(self, inputs, kernel)
            if self._has_fast_gradient() and inputs.dtype == "float32":
                return convolve(inputs, kernel, self.strides, self.padding)
        return super().convolution_op(inputs, kernel)

    def _has_fast_gradient(self):
        plain = self.groups == 1 and set(self.dilation_rate) == {1}
        return is_jax_on_cpu() and plain and max(self.kernel_size) <= 3


def convolution(
    filters: int,
    kernel_size: int = 3,
    stride: int = 1,
    padding: str = "same",
    l2: float = 0.0,
    **kwargs: Any,
) -> Convolution:
    """A convolution without bias, with weights from He's truncated normal.

    Args:
        filters: Integer, the number of channels of the output.
        kernel_size: Integer, the side of the kernel in pixels. Defaults to `3`.
        stride: Integer, the stride in pixels. Defaults to `1`.
        padding: `"same"` or `"valid"`. Defaults to `"same"`.
        l2: Non-negative float, the weight of the sum of squares in the loss.
            Defaults to `0.0`.
        **kwargs: Further arguments of the layer.
    """
    return Convolution(
        filters,
        kernel_size,
        stride,
        padding,
        data_format="channels_last",
        use_bias=False,
        kernel_initializer=keras.initializers.HeNormal(),
        kernel_regularizer=regularizer(l2),
        **kwargs,
    )


def batch_norm(l2: float = 0.0, **kwargs: Any) -> SynchronizedBatchNormalization:
    """A batch norm with PyTorch's momentum of 0.1 and epsilon of 1e-5.

    Keras's momentum is 1 minus PyTorch's. Keras averages the variance of the batch;
    PyTorch's is larger by the factor n / (n - 1).

    Args:
        l2: Non-negative float, the weight of the sum of squares of gamma and
            beta in the loss. Defaults to `0.0`.
        **kwargs: Further arguments of the layer.
    """
    return SynchronizedBatchNormalization(
        axis=-1,
        momentum=0.9,
        epsilon=1e-5,
        gamma_regularizer=regularizer(l2),
        beta_regularizer=regularizer(l2),
        **kwargs,
    )


def regularizer(l2: float) -> keras.regularizers.L2 | None:
    """`l2` times the sum of squares, without a factor 1/2; `None` for 0."""
    return keras.regularizers.L2(l2) if l2 else None


def strided_shape(input_shape: tuple, stride: int, filters: int) -> tuple:
    """Shape of a block's output, with `None` for unknown sides."""
    batch, *sides, _ = input_shape
    sides = [None if side is None else -(-side // stride) for side in sides]
    return (batch, *sides, filters)
