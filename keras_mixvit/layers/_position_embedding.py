from typing import Any

import keras

from keras_mixvit._checks import require_rate
from keras_mixvit.layers._dropout import Dropout


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PositionEmbedding(keras.layers.Layer):
    """Adds one learned vector to each position of a grid.

    The table has no entry for a class token, which is added later. Its values start
    from a normal distribution of standard deviation 0.02.

    Args:
        dropout_rate: Float in [0, 1), the share of features dropped after the
            addition. Defaults to `0.0`.
        seed: Integer seed of the dropout, or `None`. Defaults to `None`.

    Input shape:
        `(B, h, w, d)`.

    Output shape:
        `(B, h, w, d)`.

    Raises:
        ValueError: If `dropout_rate` is not in [0, 1).

    Example:

    ```python
    grid = PositionEmbedding()(np.zeros((2, 8, 8, 384)))
    assert grid.shape == (2, 8, 8, 384)
    ```

    References:
        MixViT, Section 2.1; CaiT, Section 3 (no slot for the class token).
    """

    def __init__(
        self, dropout_rate: float = 0.0, seed: int | None = None, **kwargs: Any
    ):
        super().__init__(**kwargs)
        require_rate("dropout_rate", dropout_rate)
        self.dropout_rate = dropout_rate
        self.seed = seed
        self.dropout = Dropout(dropout_rate, seed=seed, dtype=self.dtype_policy)

    def build(self, input_shape: tuple) -> None:
        self.table = self.add_weight(
            name="position_embedding",
            shape=input_shape[1:],
            initializer=keras.initializers.RandomNormal(stddev=0.02),
        )

    def call(self, grid: Any, training: bool | None = None) -> Any:
        return self.dropout(grid + self.table, training=training)

    def compute_output_shape(self, input_shape: tuple) -> tuple:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "dropout_rate": self.dropout_rate,
            "seed": self.seed,
        }
