import numpy as np

from keras_mixvit.metrics.predictions import (
    highest,
    over_chunks,
    require_members,
)


def pairwise_kl(logits) -> float:
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
