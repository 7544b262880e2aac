"""What several test files need: tiny models, set weights, gradients."""

import threading
from concurrent.futures import ThreadPoolExecutor

import keras
import numpy as np
from keras import ops

from keras_mixvit.backbones import CaiT, ConViT, ViT

# Programs of JAX that run once: optimising them costs more than it saves.
UNOPTIMISED = {
    "xla_backend_optimization_level": 0,
    "xla_llvm_disable_expensive_passes": True,
}
# Cheapest for a few steps: JAX compiles each operation of an eager step.
EAGERLY = {"run_eagerly": keras.config.backend() != "jax"}
LOSS = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def tiny_convit(**changes):
    """A ConViT on 8 x 12 x 3 images, with a rectangular grid of 2 x 3."""
    options = {
        "image_shape": (8, 12, 3),
        "patch_size": 4,
        "width": 16,
        "num_heads": 4,
        "num_blocks": 2,
        "num_class_blocks": 2,
    }
    return ConViT(**{**options, **changes})


def tiny_cait(**changes):
    """A CaiT on 8 x 12 x 3 images, with a rectangular grid of 2 x 3."""
    options = {
        "image_shape": (8, 12, 3),
        "patch_size": 4,
        "width": 16,
        "num_heads": 2,
        "num_blocks": 2,
        "num_class_blocks": 2,
        "layer_scale": 0.1,
    }
    return CaiT(**{**options, **changes})


def tiny_vit(**changes):
    """A ViT on 8 x 12 x 3 images, with a rectangular grid of 2 x 3."""
    options = {
        "image_shape": (8, 12, 3),
        "patch_size": 4,
        "width": 16,
        "num_heads": 4,
        "num_blocks": 2,
        "num_class_blocks": 2,
        "num_registers": 2,
    }
    return ViT(**{**options, **changes})


def set_weights(layer, seed=0, scale=0.3):
    """Gives every weight a value that is the same on every backend."""
    rng = np.random.default_rng(seed)
    for variable in layer.trainable_variables:
        variable.assign(scale * rng.standard_normal(variable.shape))


def images(batch, shape=(8, 12, 3), seed=0):
    """Random images in [0, 1)."""
    return np.random.default_rng(seed).random((batch, *shape)).astype("float32")


def one_hot_masks(batch, members, grid=(2, 3), seed=0):
    """Random one-hot masks `(B, M, h, w)`."""
    sources = np.random.default_rng(seed).integers(members, size=(batch, *grid))
    masks = np.arange(members)[None, :, None, None] == sources[:, None]
    return masks.astype("float32")


def numpy(x):
    """A tensor of any dtype as a float NumPy array."""
    return ops.convert_to_numpy(ops.cast(x, "float32"))


def gradients(function, layer, inputs):
    """Gradients of a scalar function, as NumPy arrays, on any backend.

    Args:
        function: From the inputs to a scalar, calling `layer`.
        layer: Built layer or model whose trainable variables are meant.
        inputs: List of arrays.

    Returns:
        List of gradients of the variables (`None` where there is none), and
        list of gradients of the inputs.
    """
    variables = layer.trainable_variables
    backend = keras.config.backend()
    if backend == "tensorflow":
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(x) for x in inputs]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            value = function(*tensors)
        found = tape.gradient(value, [v.value for v in variables] + tensors)
    elif backend == "jax":
        import jax

        def stateless(values, tensors):
            with keras.StatelessScope(list(zip(variables, values, strict=True))):
                return function(*tensors)

        tensors = [ops.convert_to_tensor(x) for x in inputs]
        values = [v.value for v in variables]
        differentiate = jax.grad(stateless, argnums=(0, 1))
        differentiate = jax.jit(differentiate, compiler_options=UNOPTIMISED)
        weights, data = differentiate(values, tensors)
        found = [*weights, *data]
    else:
        import torch

        tensors = [ops.convert_to_tensor(x).requires_grad_() for x in inputs]
        value = function(*tensors)
        found = torch.autograd.grad(
            value, [v.value for v in variables] + tensors, allow_unused=True
        )
    found = [None if g is None else numpy(g) for g in found]
    return found[: len(variables)], found[len(variables) :]


def unallocated(function):
    """Result of a function whose variables get shapes and no values."""

    def scoped():
        with keras.StatelessScope(initialize_variables=False):
            return function()

    # Keras would give them values after all, at the end of any later scope of
    # the same thread: gigabytes, and minutes.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(scoped).result()


def reading_threads():
    """The threads that prepare batches now."""
    prefix = "keras_mixvit-data"
    return [t for t in threading.enumerate() if t.name.startswith(prefix)]
