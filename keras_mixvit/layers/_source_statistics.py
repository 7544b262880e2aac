from typing import Any

import keras
from keras import ops

from keras_mixvit.layers._standardization import statistics_dtype


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SourceStatistics(keras.layers.Layer):
    """What standardises the M grids x + e_m, of which only one is there.

    Of a token x with mean μ and deviation σ, where σ² is variance and epsilon,
    let z = (x - μ) / σ. With v_m = e_m - mean(e_m), the standardised x + e_m is
    `s_m z + r_m v_m` with `1 / r_m² = σ² + 2 σ mean(z v_m) + mean(v_m²)` and
    `s_m = σ r_m`: two numbers for each token, computed in float32.

    Args:
        epsilon: Positive float, that of σ. Defaults to `1e-06`.

    Call arguments:
        standard: The z of a grid, `(B, h, w, d)`.
        deviations: The σ, `(B, h, w)`.
        vectors: The e, `(M, d)`.

    Output shape:
        Scales s and rates r, `(B, M, h, w)`, and vectors v, `(M, d)`.

    References:
        MixViT, Section 2.3, Eq. 3.
    """

    def __init__(self, epsilon: float = 1e-6, **kwargs: Any):
        super().__init__(**kwargs)
        self.epsilon = epsilon
        # Deviations stay in float32.
        self.autocast = False

    def call(
        self, standard: Any, deviations: Any, vectors: Any
    ) -> tuple[Any, Any, Any]:
        dtype = statistics_dtype(self)
        standard, deviations, vectors = (
            ops.cast(x, dtype) for x in (standard, deviations[:, None], vectors)
        )
        vectors = vectors - ops.mean(vectors, axis=-1, keepdims=True)
        products = ops.einsum("bhwd,md->bmhw", standard, vectors)
        own = ops.mean(ops.square(vectors), axis=-1)[:, None, None]
        means = products * (2 / vectors.shape[-1])
        squares = deviations * (deviations + means) + own
        # Where x = -e_m only epsilon is left, if rounding leaves as much.
        rates = ops.rsqrt(ops.maximum(squares, self.epsilon))
        scales = deviations * rates
        scales, rates, vectors = (
            ops.cast(x, self.compute_dtype) for x in (scales, rates, vectors)
        )
        return scales, rates, vectors

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
