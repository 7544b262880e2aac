import numpy as np

from keras_mixvit.metrics.predictions import sample_scores


def brier(logits, labels, per_class: bool = False) -> float:
    """Brier score: squared distance of the probabilities to the one-hot label.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, of which the mean over M
            subnetworks is judged.
        labels: Integer array `(n,)`.
        per_class: Boolean, whether to take the mean over classes, as the
            published MixMo code does, instead of the sum. Defaults to
            `False`.

    Returns:
        Float in [0, 2], per class in [0, 2 / K].

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    assert abs(brier(np.log([[0.9, 0.1]]), [0]) - 0.02) < 1e-12
    ```

    References:
        Brier, Verification of Forecasts Expressed in Terms of Probability,
        1950.
    """
    value = float(sample_scores(logits, labels).brier.mean())
    return value / np.shape(logits)[-1] if per_class else value
