from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._cpu_gradients import is_jax_on_cpu, layer_norm


@keras.saving.register_keras_serializable(package="keras_mixvit")
class LayerNormalization(keras.layers.LayerNormalization):
    """Keras' layer normalisation over the last axis, faster on JAX with a CPU."""

    def call(self, inputs: Any) -> Any:
        if not is_jax_on_cpu():
            return super().call(inputs)
        tokens = ops.reshape(ops.cast(inputs, "float32"), (-1, inputs.shape[-1]))
        outputs = layer_norm(tokens, self.gamma, self.beta, self.epsilon)
        outputs = ops.reshape(outputs, (-1, *inputs.shape[1:]))
        return ops.cast(outputs, self.compute_dtype)
