from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Standardization(keras.layers.Layer):
    """Layer normalisation without gain and offset, and the deviations beside it.

    What several normalisations of one grid share: each has a gain and an offset
    of its own, mean and deviation are those of the grid. They are computed in
    float32, float64 in float64.

    Args:
        epsilon: Positive float, added to the variances. Defaults to `1e-06`.

    Input shape:
        `(B, h, w, d)`.

    Output shape:
        `(B, h, w, d)` and, in float32, the deviations `(B, h, w)`, square roots
        of variance and epsilon.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, grid: Any) -> tuple[Any, Any]:
        grid = ops.cast(grid, statistics_dtype(self))
        centred = grid - ops.mean(grid, axis=-1, keepdims=True)
        variances = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        deviations = ops.sqrt(variances + self.epsilon)
        standard = centred / deviations
        return ops.cast(standard, self.compute_dtype), deviations[..., 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def statistics_dtype(layer: keras.layers.Layer) -> str:
    """The dtype of means and variances in a layer, float32 in half precision."""
    return "float64" if layer.compute_dtype == "float64" else "float32"
