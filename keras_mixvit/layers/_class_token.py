from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._mlp import normal


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ClassToken(keras.layers.Layer):
    """Gives every sample of a batch the same learned class token.

    Input shape:
        `(B, h, w, d)`; only the sizes B and d are used.

    Output shape:
        `(B, d)`.

    Example:

    ```python
    token = ClassToken()(np.zeros((2, 8, 8, 384)))
    assert token.shape == (2, 384)
    ```

    References:
        MixViT, Section 2.1 (the learnable classification token c_0).
    """

    def build(self, input_shape: tuple) -> None:
        self.token = self.add_weight(
            name="class_token", shape=(1, input_shape[-1]), initializer=normal()
        )

    def call(self, grid: Any) -> Any:
        return ops.broadcast_to(self.token, (ops.shape(grid)[0], grid.shape[-1]))

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return (input_shape[0], input_shape[-1])

    def get_config(self) -> dict[str, Any]:
        # Keras would refuse its own config: a policy in the call of the constructor is
        # not a plain value.
        return super().get_config()
