from typing import Any

import keras

from keras_mixvit._checks import require_rate
from keras_mixvit.layers._seed_generator import ReplicaSeedGenerator


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Dropout(keras.layers.Layer):
    """Dropout that drops different values on every replica, for several devices.

    Keras's `Dropout` drops the same values on all replicas of TensorFlow and PyTorch.

    Args:
        rate: Float in [0, 1), the share of values that are set to 0 in
            training; the others are divided by `1 - rate`.
        noise_shape: Tuple of integers, the shape of the mask, which repeats along axes
            of size 1; or `None` for the shape of the input. Defaults to `None`.
        seed: Integer seed, or `None`. Defaults to `None`.

    Input shape:
        Any.

    Output shape:
        As the input.

    Raises:
        ValueError: If `rate` is not in [0, 1).

    Example:

    ```python
    dropped = Dropout(rate=0.5)(np.ones((4, 8)), training=True)
    assert set(np.unique(dropped)) <= {0.0, 2.0}
    ```
    """

    def __init__(
        self,
        rate: float,
        noise_shape: tuple | None = None,
        seed: int | None = None,
        **kwargs: Any,
    ):
        super().__init__(**kwargs)
        require_rate("rate", rate)
        self.rate = rate
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        # With rate 0, no generator: the network then has no random state.
        self.seed_generator = ReplicaSeedGenerator(seed) if rate else None
        self.supports_masking = True
        # There is nothing to build, but Keras checks that all layers are built.
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return inputs
        return keras.random.dropout(
            inputs, self.rate, noise_shape=self.noise_shape, seed=self.seed_generator
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "rate": self.rate,
            "noise_shape": self.noise_shape,
            "seed": self.seed,
        }
