"""PyTorch's convolution and batch norm on channels-last images, without copies.

PyTorch gets a permuted view, which is its own channels-last layout. Keras copies images
to channels first and back, and computes a batch norm by a chain of operations on the
whole grid.
"""

from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._inner_calls import within


def convolve_views(layer: keras.layers.Conv2D, inputs: Any, kernel: Any) -> Any:
    """The result of `layer.convolution_op`, for `data_format="channels_last"`.

    Args:
        layer: The convolution, which sets strides, padding and dilation.
        inputs: Tensor `(B, h, w, c)`.
        kernel: Variable or tensor `(rows, columns, c / groups, filters)`.

    Returns:
        Tensor `(B, H, W, filters)`.
    """
    from torch.nn import functional

    inputs = ops.convert_to_tensor(inputs)
    kernel = _channels_last_kernel(ops.convert_to_tensor(kernel))
    images = inputs.permute(0, 3, 1, 2)
    padding: Any = 0
    if layer.padding == "same":
        pads = [
            _pads(images.shape[i + 2], kernel.shape[i + 2], stride, dilation)
            for i, (stride, dilation) in enumerate(
                zip(layer.strides, layer.dilation_rate, strict=True)
            )
        ]
        if all(before == after for before, after in pads):
            padding = [before for before, _ in pads]
        else:
            images = functional.pad(images, (*pads[1], *pads[0]))
    groups = images.shape[1] // kernel.shape[1]
    outputs = functional.conv2d(
        images,
        kernel,
        stride=layer.strides,
        padding=padding,
        dilation=layer.dilation_rate,
        groups=groups,
    )
    return outputs.permute(0, 2, 3, 1)


def _channels_last_kernel(kernel):
    """The kernel `(filters, c, rows, columns)`, in PyTorch's channels-last layout.

    Transposing a matrix is fast; PyTorch would copy four axes, forward and backward.
    """
    *rest, filters = kernel.shape
    matrix = kernel.reshape(-1, filters).t().contiguous()
    return matrix.reshape(filters, *rest).permute(0, 3, 1, 2)


def _pads(side, kernel_side, stride, dilation):
    """Zeros before and after one axis, by TensorFlow's rule for `"same"`."""
    missing = (-(-side // stride) - 1) * stride + dilation * (kernel_side - 1) + 1
    missing = max(missing - side, 0)
    return missing // 2, missing - missing // 2


def normalized_relu(
    outer: keras.layers.Layer,
    norm: keras.layers.Layer,
    values: Any,
    training: bool | None,
) -> Any:
    """ReLU of the output of a norm within another layer.

    PyTorch overwrites the norm's output, which is four times as fast as writing a new
    tensor, unless a hook may keep it.
    """
    call = within(outer, norm)
    normal = call(values, training=training)
    return ops.relu(normal) if call is norm else normal.relu_()


def normalize(layer: keras.layers.BatchNormalization, inputs: Any, training: Any):
    """The result of `layer.call` without a mask; it updates the moving statistics.

    Args:
        layer: The batch norm, built, without renormalisation.
        inputs: Tensor with at least two axes. Half precision is computed in float32.
        training: Boolean, whether to use the statistics of the batch and update the
            moving ones.

    Returns:
        Tensor with the shape of the inputs and the layer's compute dtype, or `None` if
        the batch has one value per channel, which PyTorch refuses.
    """
    import torch
    from torch.nn import functional

    inputs = ops.convert_to_tensor(inputs)
    if not inputs.is_floating_point():
        inputs = inputs.float()
    dtype = torch.float64 if inputs.dtype == torch.float64 else torch.float32

    def value(variable):
        return None if variable is None else variable.value.to(dtype)

    images = inputs.movedim(layer.axis, 1)
    gamma, beta = value(layer.gamma), value(layer.beta)
    means, variances = value(layer.moving_mean), value(layer.moving_variance)
    if not training:
        outputs = functional.batch_norm(
            images, means, variances, gamma, beta, eps=layer.epsilon
        )
        return _as_inputs(outputs, layer)
    features = images.shape[1]
    count = inputs.numel() // features
    if count < 2:
        return None
    # A momentum of 1 returns the batch's statistics; the variance is divided by n - 1.
    mean = torch.zeros(features, dtype=dtype, device=inputs.device)
    variance = torch.zeros_like(mean)
    outputs = functional.batch_norm(
        images, mean, variance, gamma, beta, True, 1.0, layer.epsilon
    )
    variance = variance * ((count - 1) / count)
    share = 1.0 - layer.momentum
    layer.moving_mean.assign(torch.lerp(means, mean, share))
    layer.moving_variance.assign(torch.lerp(variances, variance, share))
    return _as_inputs(outputs, layer)


def _as_inputs(outputs, layer):
    """The outputs with the channels on their old axis, in the compute dtype."""
    return ops.cast(outputs.movedim(1, layer.axis), layer.compute_dtype)
