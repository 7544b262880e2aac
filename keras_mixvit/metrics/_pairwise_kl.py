import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._predictions import highest, over_chunks, require_subnetworks
from keras_mixvit.metrics._subnetwork_pairs import SubnetworkPairs, require_pair


@keras.saving.register_keras_serializable(package="keras_mixvit")
class PairwiseKL(SubnetworkPairs):
    """Kullback-Leibler divergence between the predictions of two subnetworks.

    It is the mean of $\\sum_k p_k \\log (p_k / q_k)$ over ordered pairs. The divergence
    of a pair depends on the order; with both orders, the numbering of the subnetworks
    does not matter.

    Args:
        name: String, the metric's name. Defaults to `"pairwise_kl"`.
        dtype: Dtype of the result; `None` is the default. Defaults to `None`.

    Input shape:
        Labels, which are ignored; logits `(B, M, K)`; sample weights `(B,)`.

    Example:

    ```python
    metric = PairwiseKL()
    metric.update_state([[0, 0]], np.log([[[0.5, 0.5], [0.25, 0.75]]]))
    assert abs(float(metric.result()) - np.log(3) / 8) < 1e-6
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """

    def __init__(self, name: str = "pairwise_kl", dtype: Dtype = None):
        super().__init__(name, dtype)

    def values(self, logits: Tensor) -> Tensor:
        logs = ops.log_softmax(ops.cast(logits, "float32"), axis=-1)
        subnetworks = require_pair(logs)
        powers = ops.exp(logs)
        # The sum over j of KL(i, j) is that of p_i (M log p_i - sum log p_j).
        excess = subnetworks * logs - ops.sum(logs, axis=1, keepdims=True)
        terms = ops.where(powers > 0, powers * excess, 0.0)
        values = ops.maximum(ops.sum(terms, axis=(1, 2)), 0.0)
        return values / (subnetworks * (subnetworks - 1))


def pairwise_kl(logits: npt.ArrayLike) -> float:
    """Kullback-Leibler divergence between the predictions of two subnetworks.

    It is the mean of $\\sum_k p_k \\log (p_k / q_k)$ over ordered pairs. The divergence
    of a pair depends on the order; with both orders, the numbering of the subnetworks
    does not matter.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.

    Returns:
        Float in nats, the mean over samples and pairs; infinity if one subnetwork gives
        a class probability 0 and another does not.

    Raises:
        ValueError: If logits are NaN, or have fewer than two subnetworks.

    Example:

    ```python
    logits = np.log([[[0.5, 0.5], [0.25, 0.75]]])
    assert abs(pairwise_kl(logits) - np.log(3) / 8) < 1e-12
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """
    return float(divergences(require_subnetworks(logits)).mean())


def divergences(logits: np.ndarray) -> np.ndarray:
    """The divergence of each sample `(n,)`, the mean over ordered pairs."""
    subnetworks = logits.shape[1]

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
        sums = logs.sum(axis=1, keepdims=True)
        logs *= subnetworks
        with np.errstate(invalid="ignore"):
            logs -= sums
        if not powers.all():
            logs[powers == 0] = 0
        return np.maximum(np.einsum("nmk,nmk->n", powers, logs), 0.0)

    total = np.concatenate(over_chunks(divergence_of, logits))
    return total / (subnetworks * (subnetworks - 1))
