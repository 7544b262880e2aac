"""One compilation per call on JAX, where each eager operation costs its own."""

import keras

from tests.helpers import UNOPTIMISED


def compiled(function):
    """The function, compiled on JAX; what it does to variables is discarded."""
    if keras.config.backend() != "jax":
        return function
    import jax

    def stateless(*inputs):
        with keras.StatelessScope():
            return function(*inputs)

    return jax.jit(stateless, compiler_options=UNOPTIMISED)


def call(layer, *inputs, **arguments):
    """Output of a layer or model for NumPy inputs.

    On JAX a random layer draws the same again in the next call.
    """
    if keras.config.backend() == "jax" and not layer.built:
        layer.build(*(x.shape for x in inputs))
    return compiled(lambda *tensors: layer(*tensors, **arguments))(*inputs)
