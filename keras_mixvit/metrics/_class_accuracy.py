import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import likeliest, require_predictions


def class_accuracy(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> npt.NDArray[np.float64]:
    """Accuracy on the samples of each class: its recall.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Array `(K,)`; NaN for a class without samples. (scikit-learn returns 0.)

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = [[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    assert class_accuracy(logits, [0, 1, 1]).tolist() == [1.0, 0.5]
    ```
    """
    logits, labels = require_predictions(logits, labels)
    return means_per_class(likeliest(logits) == labels, labels, logits.shape[-1])


def means_per_class(values: np.ndarray, labels: np.ndarray, classes: int) -> np.ndarray:
    """Mean of values `(n,)` over the samples of each class `(K,)`, NaN without one."""
    counts = np.bincount(labels, minlength=classes)
    sums = np.bincount(labels, np.asarray(values, "float64"), minlength=classes)
    return np.divide(sums, counts, out=np.full(classes, np.nan), where=counts > 0)
