import itertools

import numpy as np

from keras_mixvit.metrics.predictions import (
    highest,
    over_chunks,
    require_members,
    require_predictions,
)


def ratio_error(logits, labels) -> float:
    """How many more samples one of two subnetworks gets wrong than both, d_re.

    For a pair of subnetworks it is the number of samples on which only one of
    them is wrong, divided by the number on which both are. The mean over all
    pairs is returned. A pair without a common error has infinity; one without
    any error has no ratio and is left out. (For a pair without a common error
    the published code gives twice the share of samples with one error, which
    would be little diversity where there is most.)

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.
        labels: Integer array `(n,)`.

    Returns:
        Float; NaN where no subnetwork is ever wrong.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.eye(3)[[[0, 0], [1, 0], [2, 2], [1, 2]]]
    assert ratio_error(logits, [0, 0, 0, 0]) == 0.5
    ```

    References:
        MixMo, Sections 4.3.1 and 6.6; Aksela, Comparison of Classifier
        Selection Methods for Improving Committee Performance, 2003.
    """
    logits, labels = require_predictions(require_members(logits), labels)
    return ratio_error_of(predicted_classes(logits) != labels[:, None])


def ratio_error_of(wrong: np.ndarray) -> float:
    """d_re from what is wrong, Boolean `(n, M)`."""
    single, common = [], []
    for i, j in itertools.combinations(range(wrong.shape[1]), 2):
        single.append(np.count_nonzero(wrong[:, i] ^ wrong[:, j]))
        common.append(np.count_nonzero(wrong[:, i] & wrong[:, j]))
    return mean_ratio(single, common)


def mean_ratio(single, common) -> float:
    """Mean of single / common over the pairs that have an error."""
    single, common = np.asarray(single, "float64"), np.asarray(common, "float64")
    counted = single + common > 0
    if not counted.any():
        return float("nan")
    with np.errstate(divide="ignore"):
        return float((single[counted] / common[counted]).mean())


def predicted_classes(logits: np.ndarray) -> np.ndarray:
    """The class that each subnetwork predicts, `(n, M)`; of equals the first."""

    def classes_of(chunk):
        highest(logits[chunk])
        return logits[chunk].argmax(axis=-1)

    return np.concatenate(over_chunks(classes_of, logits))
