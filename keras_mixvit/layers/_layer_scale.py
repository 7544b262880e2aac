from typing import Any

import keras

from keras_mixvit._checks import is_number, require


@keras.saving.register_keras_serializable(package="keras_mixvit")
class LayerScale(keras.layers.Layer):
    """Multiplies each feature by a learned gain, to stabilise deep transformers.

    With the gains g it computes `y = g * x`.

    Args:
        initial_value: Positive float, the gain of every feature at the start.
            Defaults to `1e-05`.

    Input shape:
        `(..., d)`.

    Output shape:
        `(..., d)`.

    Raises:
        ValueError: If `initial_value` is not positive.

    Example:

    ```python
    scaled = LayerScale(initial_value=0.5)(np.ones((2, 3)))
    assert float(scaled[0, 0]) == 0.5
    ```

    References:
        CaiT, Section 2 (LayerScale).
    """

    def __init__(self, initial_value: float = 1e-5, **kwargs: Any):
        super().__init__(**kwargs)
        require(
            is_number(initial_value) and initial_value > 0,
            "`initial_value` must be positive.",
            initial_value=initial_value,
        )
        self.initial_value = initial_value

    def build(self, input_shape: tuple) -> None:
        self.gain = self.add_weight(
            name="gain",
            shape=(input_shape[-1],),
            initializer=keras.initializers.Constant(self.initial_value),
        )

    def call(self, inputs: Any) -> Any:
        return inputs * self.gain

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial_value": self.initial_value}
