"""Calls of layers within a layer, with little Python overhead on PyTorch."""

from typing import Any

import keras
from keras import ops

ON_TORCH = keras.config.backend() == "torch"


def within(outer: keras.layers.Layer, layer: keras.layers.Layer) -> Any:
    """A function that calls a layer from the `call` of another one, with less overhead.

    `Layer.__call__` converts inputs, binds arguments, looks for masks and enters the
    precision of a layer. If both layers have the same policy, `outer` has already done
    this. Only PyTorch pays for it at every step; the other backends trace a step once.

    Args:
        outer: Layer whose `call` is running.
        layer: Inner layer, called with tensors of its compute dtype. Pass `training` if
            it takes it.

    Returns:
        `layer.call` or an equivalent function. Or `layer` itself, if its own policy,
        hooks or regulariser of outputs need `__call__`.
    """
    if (
        ON_TORCH
        and outer.autocast
        and layer.built
        and _is_one_precision(outer.dtype_policy, layer.dtype_policy)
        and layer.activity_regularizer is None
        and not (
            layer._forward_hooks or layer._forward_pre_hooks or layer._backward_hooks
        )
    ):
        return _linear(layer) if _is_plain_dense(layer) else layer.call
    return layer


def reshape(values: Any, shape: tuple) -> Any:
    """`keras.ops.reshape`, without its 200 calls on PyTorch to look for symbols."""
    if ON_TORCH and _is_tensor(values):
        return values.reshape(shape)
    return ops.reshape(values, shape)


def _is_tensor(values):
    import torch

    return isinstance(values, torch.Tensor)


def _is_plain_dense(layer):
    plain = type(layer) is keras.layers.Dense and not layer.lora_enabled
    return plain and layer.activation is keras.activations.linear


def _linear(layer):
    """`Dense.call` as PyTorch's single operation for product and bias."""
    import torch

    def call(inputs, training=None):
        bias = layer.bias.value if layer.use_bias else None
        return torch.nn.functional.linear(inputs, layer.kernel.value.t(), bias)

    return call


def _is_one_precision(outer, inner):
    """Whether two policies are equal and plain; a map has one for each path."""
    if isinstance(outer, keras.dtype_policies.DTypePolicyMap):
        return False
    return (outer is inner or outer == inner) and outer.quantization_mode is None
