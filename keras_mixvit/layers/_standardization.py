from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Standardization(keras.layers.Layer):
    """Layer normalisation without gain and offset; it also returns the deviations.

    Use it if several normalisations of one grid differ only in gain and offset: they
    share its mean and deviation, $(x - \\mu) / \\sqrt{\\sigma^2 + \\epsilon}$. It
    computes in float32, or in float64 for float64.

    Args:
        epsilon: Positive float, added to the variances. Defaults to `1e-06`.

    Input shape:
        `(B, h, w, d)`.

    Output shape:
        `(B, h, w, d)` and, in float32, the deviations `(B, h, w)`, the square roots of
        variance plus epsilon.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon

    def call(self, grid: Any) -> tuple[Any, Any]:
        """The standardized grid and its deviations."""
        grid = ops.cast(grid, statistics_dtype(self))
        centred = grid - ops.mean(grid, axis=-1, keepdims=True)
        variances = ops.mean(ops.square(centred), axis=-1, keepdims=True)
        deviations = ops.sqrt(variances + self.epsilon)
        standard = centred / deviations
        return ops.cast(standard, self.compute_dtype), deviations[..., 0]

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}


def statistics_dtype(layer: keras.layers.Layer) -> str:
    """The dtype of means and variances in a layer: float32 in half precision."""
    return "float64" if layer.compute_dtype == "float64" else "float32"
