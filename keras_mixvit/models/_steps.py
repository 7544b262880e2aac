"""Training and evaluation steps that use the weights of subnetworks and classes."""

import contextlib
from collections.abc import Iterator
from typing import Any

import keras
from keras import ops

from keras_mixvit._model_mixin import ModelMixin
from keras_mixvit.layers._inner_calls import ON_TORCH
from keras_mixvit.models._argument_checks import require_weights
from keras_mixvit.models._class_weights import weights_of
from keras_mixvit.models._data_checks import is_pair, require_learnable
from keras_mixvit.models._step_inputs import weighted


class Steps(ModelMixin):
    """Mixin of `keras.Model`: Keras's steps, with the weights of subnetworks.

    On PyTorch, a training step collects the trainable weights once; Keras would walk
    over all layers three times, and PyTorch once more to clear the gradients. The other
    backends trace a step once.
    """

    _held: Any
    num_subnetworks: int

    def train_step(self, *args: Any) -> Any:
        """Keras's training step with the weights of subnetworks and classes."""
        *state, data = args  # JAX passes its state first.
        with _weights_asked_once(self):
            return super().train_step(*state, self._weighted(data, training=True))

    def test_step(self, *args: Any) -> Any:
        """Keras's evaluation step with the weights of subnetworks."""
        *state, data = args
        return super().test_step(*state, self._weighted(data, training=False))

    @property
    def trainable_weights(self) -> list:
        """The weights to train; a running step on PyTorch caches the list."""
        # Keras reads this before the model has a state.
        held = getattr(self, "_held", None)
        if held is None or held.step_weights is None:
            return super().trainable_weights
        return list(held.step_weights)

    if ON_TORCH:

        def zero_grad(self, set_to_none: bool = True) -> None:
            """Clears the gradients of the weights that the step trains."""
            weights = self._held.step_weights
            if weights is None or not set_to_none:
                super().zero_grad(set_to_none)
                return
            for weight in weights:
                weight.value.grad = None

    def _weighted(self, data, training):
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        require_weights(sample_weight, self.num_subnetworks if is_pair(x) else None)
        class_weights = self._held.class_weights
        if training and class_weights is not None:
            by_class = weights_of(y, class_weights, 2 if is_pair(x) else 1)
            sample_weight = weighted(by_class, sample_weight)
        if not isinstance(x, dict):
            require_learnable(self, x, training)
            if sample_weight is not None:
                sample_weight = ops.reshape(sample_weight, (-1,))
            # Without masks the model returns subnetwork logits, which `_matched` turns
            # into what a loss or a metric takes.
            return {"images": x}, y, sample_weight
        ratios = ops.mean(ops.cast(x["masks"], "float32"), axis=(2, 3))
        weights = self.loss_weights(ratios)
        return x, y, weighted(weights, sample_weight)


@contextlib.contextmanager
def _weights_asked_once(model) -> Iterator[None]:
    """Caches the list of trainable weights on PyTorch, within the context."""
    if not ON_TORCH:
        yield
        return
    model._held.step_weights = model.trainable_weights
    try:
        yield
    finally:
        model._held.step_weights = None
