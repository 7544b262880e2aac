"""Layers that save memory: they compute results again when gradients need them."""

import functools
import inspect
from typing import Any

import keras


class RecomputableLayer(keras.layers.Layer):
    """A layer that can compute its `call` again in the backward pass.

    It stores only its inputs for the backward pass. The second pass draws the same
    random numbers as the first, and changes no statistics or seeds.

    A subclass decorates its `call` with `recomputable`, takes
    inputs of its compute dtype, and has no variables of its own, only layers.

    Args:
        recompute: Boolean, whether to compute it again in training.
        **kwargs: Further arguments of the layer.
    """

    def __init__(self, recompute: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.recompute = bool(recompute)
        if recompute:
            # Passes variables as stored, without a cast: two casts give other values
            # than one.
            self.autocast = False

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recompute": self.recompute}


def recomputable(call: Any) -> Any:
    """Decorates the `call` of a `RecomputableLayer`."""
    _, *names = inspect.signature(call).parameters

    @functools.wraps(call)
    def wrapped(self, *inputs, training=None, **named):
        if named:
            # Keras has already checked the names.
            last = max(map(names.index, named)) + 1
            inputs += tuple(named.get(name) for name in names[len(inputs) : last])
        if not self.recompute:
            return call(self, *inputs, training=training)
        # As Keras does if `autocast` is true.
        values = [keras.ops.cast(x, self.compute_dtype) for x in inputs]
        if not training:
            return call(self, *values, training=training)
        return _recomputed(functools.partial(call, self, training=True), self, values)

    return wrapped


def _recomputed(function, layer, inputs):
    """Outputs of a function of a layer's variables and inputs.

    The function runs on values, so you can run it twice. Its assignments are made here,
    once.
    """
    weights = layer.trainable_variables
    state = layer.non_trainable_variables
    # Seeds change in place before the second pass reads them, so they are copied. It
    # ignores statistics, which need no copy.
    before = [
        keras.ops.copy(v) if is_integer(v) else keras.ops.convert_to_tensor(v)
        for v in state
    ]
    found = {}

    def run(*tensors):
        values = [*tensors[: len(weights)], *before]
        scope = keras.StatelessScope(list(zip([*weights, *state], values, strict=True)))
        with scope:
            outputs = function(*tensors[len(weights) :])
        after = [scope.get_current_value(variable) for variable in state]
        if keras.config.backend() == "jax":
            return outputs, after
        # Does not return these: TensorFlow would look for gradients of integers.
        found.setdefault("after", after)
        return outputs

    tensors = [keras.ops.convert_to_tensor(variable) for variable in weights]
    outputs = keras.remat(run)(*tensors, *inputs)
    if keras.config.backend() == "jax":
        outputs, found["after"] = outputs
    for variable, value in zip(state, found["after"], strict=True):
        variable.assign(value)
    return outputs


def is_integer(variable: Any) -> bool:
    """Whether a variable holds integers, as seeds do."""
    return "int" in keras.backend.standardize_dtype(variable.dtype)
