"""Plain NumPy forms, in float64, of what the layers compute."""

import math

import numpy as np

from tests.helpers import numpy

erf = np.vectorize(math.erf, otypes=["float64"])


def wide(x):
    """A tensor as a float64 NumPy array."""
    return numpy(x).astype("float64")


def noise(*shape, seed=0):
    """Normal noise in float32."""
    return np.random.default_rng(seed).standard_normal(shape).astype("float32")


def softmax(scores):
    powers = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return powers / powers.sum(axis=-1, keepdims=True)


def layer_norm(x, layer, epsilon=1e-6):
    x = x - x.mean(axis=-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(axis=-1, keepdims=True) + epsilon)
    return x * wide(layer.gamma) + wide(layer.beta)


def dense(x, layer):
    product = x @ wide(layer.kernel)
    return product if layer.bias is None else product + wide(layer.bias)


def mlp(x, layer):
    hidden = dense(x, layer.expand)
    hidden = hidden * (1 + erf(hidden / math.sqrt(2))) / 2
    return dense(hidden, layer.project)


def split_heads(tokens, heads):
    """From `(B, N, d)` to `(B, heads, N, d / heads)`."""
    batch, count, width = tokens.shape
    return tokens.reshape(batch, count, heads, width // heads).transpose(0, 2, 1, 3)


def merge_heads(tokens):
    """From `(B, heads, N, e)` to `(B, N, heads · e)`."""
    batch, heads, count, width = tokens.shape
    return tokens.transpose(0, 2, 1, 3).reshape(batch, count, heads * width)


def mixed_reference(inputs, masks, patch_size=4):
    """M images as one, by masks of patches."""
    pixels = masks.repeat(patch_size, axis=2).repeat(patch_size, axis=3)
    return (inputs * pixels[..., None]).sum(axis=1)
