from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._types import Tensor
from keras_mixvit.metrics._disagreement import require_pair
from keras_mixvit.metrics._predictions import highest, over_chunks, require_members


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PairwiseKL(keras.metrics.Mean):
    """Kullback-Leibler divergence between the predictions of two subnetworks.

    The mean over ordered pairs: the divergence of a pair depends on which
    comes first, and with both orders the result does not depend on how the
    subnetworks are numbered.

    Args:
        name: String, the name of the metric. Defaults to `"pairwise_kl"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Input shape:
        Labels, which are not looked at; logits `(B, M, K)`; sample weights
        `(B,)`.

    Example:

    ```python
    metric = PairwiseKL()
    metric.update_state([[0, 0]], np.log([[[0.5, 0.5], [0.25, 0.75]]]))
    assert abs(float(metric.result()) - np.log(3) / 8) < 1e-6
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """

    on_subnetworks = True

    def __init__(
        self, name: str = "pairwise_kl", dtype: str | keras.DTypePolicy | None = None
    ):
        super().__init__(name=name, dtype=dtype)

    def update_state(
        self, labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        members = require_pair(logs)
        powers = ops.exp(logs)
        # The sum over j of KL(i, j) is that of p_i (M log p_i - sum log p_j).
        excess = members * logs - ops.sum(logs, axis=1, keepdims=True)
        terms = ops.where(powers > 0, powers * excess, 0.0)
        values = ops.maximum(ops.sum(terms, axis=(1, 2)), 0.0)
        values = values / (members * (members - 1))
        return super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def pairwise_kl(logits: npt.ArrayLike) -> float:
    """Kullback-Leibler divergence between the predictions of two subnetworks.

    The mean over ordered pairs: the divergence of a pair depends on which
    comes first, and with both orders the result does not depend on how the
    subnetworks are numbered.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.

    Returns:
        Float in nats, the mean over samples and pairs; infinity where one
        subnetwork gives a class probability 0 and another does not.

    Raises:
        ValueError: If logits are NaN, or not of several subnetworks.

    Example:

    ```python
    logits = np.log([[[0.5, 0.5], [0.25, 0.75]]])
    assert abs(pairwise_kl(logits) - np.log(3) / 8) < 1e-12
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """
    logits = require_members(logits)
    members = logits.shape[1]

    def divergence_of(chunk):
        logs = np.array(logits[chunk], dtype="float64")
        top = highest(logs)
        with np.errstate(over="ignore"):
            logs -= top
        powers = np.exp(logs)
        total = powers.sum(axis=-1, keepdims=True)
        powers /= total
        logs -= np.log(total)
        # The sum over j of KL(i, j) is that of p_i (M log p_i - sum log p_j).
        with np.errstate(invalid="ignore"):
            terms = powers * (members * logs - logs.sum(axis=1, keepdims=True))
        terms[powers == 0] = 0
        return np.maximum(terms.sum(axis=(1, 2)), 0.0).sum()

    total = sum(over_chunks(divergence_of, logits))
    return float(total / (len(logits) * members * (members - 1)))
