"""Runs many training steps in one call on JAX, also from images on the device.

Keras 3.15 runs `steps_per_execution` steps in a Python loop on JAX, so every step waits
for the host. Here, one compiled scan runs them all. Keras documents
`make_train_function` as a method to override.
"""

import contextlib
from typing import Any

import keras
import numpy as np

from keras_mixvit._kept_steps import remember
from keras_mixvit._model_mixin import ModelMixin

ON_JAX = keras.config.backend() == "jax"


class ManySteps(ModelMixin):
    """Mixin of `keras.Model`: one scan runs `steps_per_execution` steps on JAX.

    A subclass may define `_device_images`, a `DeviceImages`. It is then an input of the
    compiled function, not a constant in it.
    """

    train_function: Any

    @property
    def _device_images(self) -> Any:
        return None

    def make_train_function(self, force: bool = False) -> Any:
        """Keras's train function, with one scan for all steps of a call on JAX."""
        compiles = ON_JAX and self.jit_compile and not self.run_eagerly
        if compiles and (self.steps_per_execution > 1 or self._device_images):
            if force or self.train_function is None:
                self.train_function = scanned_steps(self)
            return self.train_function
        return super().make_train_function(force)


def scanned_steps(model):
    """A train function of Keras on JAX that runs all its batches in one scan.

    Args:
        model: Model with the mixin.

    Returns:
        Function of a state and an iterator over the batches of one call, as
        `keras.Model.make_train_function` returns.
    """
    import jax

    compiled = {}

    def steps(state, images, batches, is_stacked):
        def step(state, batch):
            logs, state = model.train_step(state, batch)
            return state, logs

        held = model._device_images
        with held.traced(images) if held else contextlib.nullcontext():
            if not is_stacked:
                if len(batches) == 1:
                    state, logs = step(state, batches[0])
                    return logs, state
                batches = jax.tree.map(lambda *a: jax.numpy.stack(a), *batches)
            state, logs = jax.lax.scan(step, state, batches)
        return jax.tree.map(lambda values: values[-1], logs), state

    def function(state, iterator):
        logs = None
        held = model._device_images
        for group in _groups(iterator):
            batches, is_stacked = _stacked(group)
            if "steps" not in compiled:
                compiled["steps"] = jax.jit(
                    steps,
                    donate_argnums=0,
                    static_argnums=3,
                    out_shardings=_shardings(state),
                )
            logs, state = compiled["steps"](
                state, held and held.value, batches, is_stacked
            )
            remember(model, state)
        if logs is None:
            raise StopIteration
        return logs, state

    return function


def _shardings(state):
    """The shardings that keep the state on several devices, or `None` on one."""
    if keras.distribution.distribution() is None:
        return None
    import jax

    return None, jax.tree.map(lambda array: array.sharding, state)


def _groups(iterator):
    """Groups of consecutive batches of equal shape; the last of an epoch may differ."""
    group, before = [], None
    for batch in iterator:
        leaves = keras.tree.flatten(batch)
        shapes = [(a.shape, a.dtype) for a in leaves if a is not None]
        if group and shapes != before:
            yield group
            group = []
        group.append(batch)
        before = shapes
    if group:
        yield group


def _stacked(group):
    """Stacks batches if that is cheap; also returns whether it did.

    It stacks arrays on the host, so the device receives a few large arrays instead of
    many small ones.
    """
    leaves = keras.tree.flatten(group)
    on_host = all(isinstance(leaf, np.ndarray) for leaf in leaves if leaf is not None)
    if len(group) == 1 or not on_host:
        return tuple(group), False
    return keras.tree.map_structure(
        lambda *arrays: np.stack(arrays), *group, none_is_leaf=False
    ), True
