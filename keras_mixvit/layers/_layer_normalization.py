from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._cpu_gradients import is_jax_on_cpu, layer_norm
from keras_mixvit.layers._inner_calls import ON_TORCH


@keras.saving.register_keras_serializable(package="keras_mixvit")
class LayerNormalization(keras.layers.LayerNormalization):
    """Keras's layer normalisation over the last axis, with fewer operations.

    Use it with gain, offset and the default axis only.
    """

    def call(self, inputs: Any) -> Any:
        if ON_TORCH:
            return self._on_torch(inputs)
        if not is_jax_on_cpu() or self.compute_dtype == "float64":
            return super().call(inputs)
        tokens = ops.reshape(ops.cast(inputs, "float32"), (-1, inputs.shape[-1]))
        outputs = layer_norm(tokens, self.gamma, self.beta, self.epsilon)
        outputs = ops.reshape(outputs, (-1, *inputs.shape[1:]))
        return ops.cast(outputs, self.compute_dtype)

    def _on_torch(self, inputs):
        import torch

        dtype = inputs.dtype if inputs.dtype == torch.float64 else torch.float32
        weights = [weight.value.to(dtype) for weight in (self.gamma, self.beta)]
        outputs = torch.nn.functional.layer_norm(
            inputs.to(dtype), inputs.shape[-1:], *weights, self.epsilon
        )
        return outputs.to(getattr(torch, self.compute_dtype))
