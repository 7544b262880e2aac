"""Faster gradients for operations that XLA computes slowly on a CPU.

XLA's gradients take more passes over memory than they need. On a GPU, XLA fuses these
passes; on a CPU, each one reads from memory and writes back.
"""

import functools
import math
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_mixvit.layers._inner_calls import ON_TORCH


@functools.cache
def is_jax_on_cpu() -> bool:
    """Whether the backend is JAX with a CPU as its default device."""
    if keras.config.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"


def flat(tokens: Any) -> Any:
    """Tokens `(..., d)` as `(T, d)` on JAX, unchanged on the other backends.

    For gradients, XLA transposes the operands of a product over more than two axes. The
    other backends flatten the operands themselves.
    """
    if keras.config.backend() != "jax" or len(tokens.shape) == 2:
        return tokens
    return ops.reshape(tokens, (-1, tokens.shape[-1]))


def unflat(tokens: Any, shape: tuple) -> Any:
    """The inverse of `flat`: tokens in a shape whose first axis is the batch."""
    if len(tokens.shape) == len(shape):
        return tokens
    return ops.reshape(tokens, (-1, *shape[1:-1], tokens.shape[-1]))


def gelu(values: Any, training: bool | None) -> Any:
    """Exact GELU; in training, its gradient reuses results of the forward pass.

    In inference, JAX uses `erfc`: TensorFlow cannot read an export with `erf`.
    """
    if ON_TORCH:
        import torch

        return torch.nn.functional.gelu(values)
    dtype = keras.backend.standardize_dtype(values.dtype)
    reuses = keras.config.backend() == "tensorflow" or is_jax_on_cpu()
    if training and reuses and dtype == "float32":
        return ops.custom_gradient(_gelu)(values)
    return keras.activations.gelu(values, approximate=False)


def _gelu(x):
    share = 0.5 * (1.0 + ops.erf(x * math.sqrt(0.5)))
    slope = share + x * ops.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return x * share, lambda upstream: upstream * slope


def layer_norm(values: Any, gain: Any, offset: Any, epsilon: float) -> Any:
    """Normalises float32 tokens `(T, d)`.

    The gradients of gain and offset are matrix products, which run on all cores.
    """
    return ops.custom_gradient(functools.partial(_layer_norm, epsilon))(
        values, gain, offset
    )


def _layer_norm(epsilon, x, gain, offset):
    centred = x - _mean(x)
    rate = ops.rsqrt(_mean(centred * centred) + epsilon)
    normal = centred * rate

    def gradient(upstream):
        inner = upstream * gain
        own = inner - _mean(inner) - normal * _mean(inner * normal)
        return rate * own, _sum_tokens(upstream * normal), _sum_tokens(upstream)

    return normal * gain + offset, gradient


def _mean(tokens):
    return ops.mean(tokens, axis=-1, keepdims=True)


def _sum_tokens(tokens):
    return ops.matmul(ops.ones_like(tokens[:, 0]), tokens)


def repeat_on_batch(values: Any, like: Any) -> Any:
    """Repeats values for each sample of a batch; the gradient is a product, not a sum.

    Args:
        values: Tensor that all samples share.
        like: Tensor `(B, ...)`.

    Returns:
        `values` itself where broadcasting is fast, or a tensor `(B, *values.shape)`.
    """
    if not is_jax_on_cpu():
        return values
    shape = (like.shape[0], *values.shape)

    def repeated(values):
        def gradient(upstream):
            rows = ops.reshape(upstream, (shape[0], -1))
            return ops.reshape(_sum_tokens(rows), shape[1:])

        return ops.broadcast_to(values, shape), gradient

    return ops.custom_gradient(repeated)(values)


def convolve(images: Any, kernel: Any, strides: tuple, padding: str) -> Any:
    """Convolves images `(B, H, W, C)`; the gradient of the kernel is matrix products.

    XLA computes this gradient as a convolution with a window of the size of the image.
    """

    def convolved(images, kernel):
        import jax

        def of_images(images):
            return ops.conv(images, kernel, strides, padding, "channels_last")

        outputs, to_images = jax.vjp(of_images, images)

        def gradient(upstream):
            (image_gradient,) = to_images(upstream)
            return image_gradient, _kernel_gradient(
                images, kernel.shape, strides, padding, upstream
            )

        return outputs, gradient

    return ops.custom_gradient(convolved)(images, kernel)


def _kernel_gradient(images, shape, strides, padding, upstream):
    """One product of channels for each position of the kernel, over all pixels.

    The loop makes XLA store the padded images; otherwise it computes them again for
    each position.
    """
    import jax

    spans = [(upstream.shape[i + 1] - 1) * strides[i] + 1 for i in (0, 1)]
    if padding == "same":
        missing = [
            max(spans[i] + shape[i] - 1 - images.shape[i + 1], 0) for i in (0, 1)
        ]
        pads = [(count // 2, count - count // 2) for count in missing]
        images = ops.pad(images, [(0, 0), *pads, (0, 0)])
    size = (images.shape[0], *spans, images.shape[-1])
    right = flat(upstream)

    def product(position):
        start = (0, position[0], position[1], 0)
        met = jax.lax.dynamic_slice(images, start, size)
        met = flat(met[:, :: strides[0], :: strides[1]])
        return ops.matmul(ops.transpose(met), right)

    rows, columns = np.indices(shape[:2])
    positions = np.stack([rows.ravel(), columns.ravel()], axis=1)
    return ops.reshape(ops.map(product, positions), shape)
