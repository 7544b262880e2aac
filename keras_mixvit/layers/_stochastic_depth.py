from typing import Any

import keras

from keras_mixvit._checks import require_rate
from keras_mixvit.layers._seed_generator import ReplicaSeedGenerator


@keras.saving.register_keras_serializable(package="keras_mixvit")
class StochasticDepth(keras.layers.Layer):
    """Drops the whole residual branch of some samples in training.

    Each sample keeps its branch with probability `1 - rate`; a kept branch is divided
    by that probability. In inference the layer does nothing.

    Args:
        rate: Float in [0, 1), the share of samples whose branch is dropped.
        seed: Integer seed, or `None`. Defaults to `None`.

    Call arguments:
        inputs: The output of a residual branch.
        training: Boolean, whether to drop.

    Input shape:
        `(B, ...)`.

    Output shape:
        `(B, ...)`.

    Raises:
        ValueError: If `rate` is not in [0, 1).

    Example:

    ```python
    dropped = StochasticDepth(rate=0.5)(np.ones((4, 8, 8, 16)), training=True)
    assert set(np.unique(dropped)) <= {0.0, 2.0}
    ```

    References:
        Huang et al., Deep Networks with Stochastic Depth, 2016.
    """

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any):
        super().__init__(**kwargs)
        require_rate("rate", rate)
        self.rate = rate
        self.seed = seed
        # With rate 0, no generator: the network then has no random state.
        self.seed_generator = ReplicaSeedGenerator(seed) if rate else None
        # There is nothing to build, but Keras checks that all layers are built.
        self.built = True

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if not training or not self.rate:
            return inputs
        noise_shape = (None,) + (1,) * (len(inputs.shape) - 1)
        return keras.random.dropout(
            inputs, self.rate, noise_shape=noise_shape, seed=self.seed_generator
        )

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate, "seed": self.seed}
