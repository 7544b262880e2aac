"""What XLA computes slowly on a CPU, written so that it does not.

XLA derives gradients with more passes over memory than they need. On a GPU it fuses
these passes; on a CPU each of them is read from memory and written back.
"""

import functools
import math
from typing import Any

import keras
from keras import ops


@functools.cache
def is_jax_on_cpu() -> bool:
    """Whether the backend is JAX, and a CPU its default device."""
    if keras.config.backend() != "jax":
        return False
    import jax

    return jax.default_backend() == "cpu"


def flat(tokens: Any) -> Any:
    """Tokens `(..., d)` as `(T, d)` on JAX, unchanged on the other backends.

    XLA transposes the operands of a product over more than two axes for its
    gradients. The other backends flatten them by themselves.
    """
    if keras.config.backend() != "jax" or len(tokens.shape) == 2:
        return tokens
    return ops.reshape(tokens, (-1, tokens.shape[-1]))


def unflat(tokens: Any, shape: tuple) -> Any:
    """Inverts `flat`: tokens in a shape whose first axis is the batch."""
    if len(tokens.shape) == len(shape):
        return tokens
    return ops.reshape(tokens, (-1, *shape[1:-1], tokens.shape[-1]))


def gelu(values: Any) -> Any:
    """Exact GELU; its gradient reuses the error function of the forward pass."""
    if (
        not is_jax_on_cpu()
        or keras.backend.standardize_dtype(values.dtype) != "float32"
    ):
        return keras.activations.gelu(values, approximate=False)
    return ops.custom_gradient(_gelu)(values)


def _gelu(x):
    share = 0.5 * (1.0 + ops.erf(x * math.sqrt(0.5)))
    slope = share + x * ops.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return x * share, lambda upstream: upstream * slope


def layer_norm(values: Any, gain: Any, offset: Any, epsilon: float) -> Any:
    """Normalises float32 tokens `(T, d)`.

    The gradients of gain and offset are products, which run on all cores.
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
