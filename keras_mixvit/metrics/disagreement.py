import itertools

import numpy as np

from keras_mixvit.metrics.predictions import require_members
from keras_mixvit.metrics.ratio_error import predicted_classes


def disagreement(logits) -> float:
    """Share of samples on which two subnetworks predict different classes.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.

    Returns:
        Float in [0, 1], the mean over all pairs.

    Raises:
        ValueError: If logits are NaN, or not of several subnetworks.

    Example:

    ```python
    logits = np.eye(3)[[[0, 0], [1, 0], [2, 2], [1, 2]]]
    assert disagreement(logits) == 0.5
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """
    return disagreement_of(predicted_classes(require_members(logits)))


def disagreement_of(predicted: np.ndarray) -> float:
    """Disagreement from predicted classes `(n, M)`."""
    pairs = itertools.combinations(range(predicted.shape[1]), 2)
    return float(np.mean([predicted[:, i] != predicted[:, j] for i, j in pairs]))
