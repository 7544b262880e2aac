"""Layers that forget what they computed, and compute it again when it is needed."""

import functools
import inspect
from typing import Any

import keras


class RecomputableLayer(keras.layers.Layer):
    """A layer whose `call` may be computed a second time in the backward pass.

    Nothing within it is stored for the backward pass but its inputs. The second
    pass draws the numbers that the first one drew, and leaves statistics and
    seeds alone. A subclass decorates its `call` with `recomputable`, takes
    inputs of its compute dtype, and has no variables of its own, only layers.

    Args:
        recompute: Boolean, whether to do so in training.
        **kwargs: Further arguments of the layer.
    """

    def __init__(self, recompute: bool, **kwargs: Any):
        super().__init__(**kwargs)
        self.recompute = bool(recompute)
        if recompute:
            # Variables are handed on as they are stored, not cast: what is cast
            # twice differs from what is cast once.
            self.autocast = False

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "recompute": self.recompute}


def recomputable(call: Any) -> Any:
    """Decorates the `call` of a `RecomputableLayer`."""
    _, *names = inspect.signature(call).parameters

    @functools.wraps(call)
    def wrapped(self, *inputs, training=None, **named):
        if named:
            # Keras has checked the names.
            last = max(map(names.index, named)) + 1
            inputs += tuple(named.get(name) for name in names[len(inputs) : last])
        if not self.recompute:
            return call(self, *inputs, training=training)
        # What Keras does where `autocast` is true.
        values = [keras.ops.cast(x, self.compute_dtype) for x in inputs]
        if not training:
            return call(self, *values, training=training)
        return _recomputed(functools.partial(call, self, training=True), self, values)

    return wrapped


def _recomputed(function, layer, inputs):
    """Outputs of a function of a layer's variables and inputs.

    The function runs on values, so that running it again changes nothing. What
    it would have assigned is assigned here, once.
    """
    weights = layer.trainable_variables
    state = layer.non_trainable_variables
    # Seeds have changed in place when the second pass reads them. It ignores
    # statistics, which need no copy.
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
        # Not returned: TensorFlow would look for gradients of integers.
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
