import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import likeliest, require_predictions


def confusion_matrix(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> npt.NDArray[np.int64]:
    """Counts of samples by true class (rows) and predicted class (columns).

    If logits are equal, the first class is the prediction. Rows are true classes, as in
    scikit-learn and torchmetrics.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        int64 array `(K, K)`, whose sum is n.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = [[2.0, 0.0], [2.0, 0.0], [0.0, 1.0]]
    assert confusion_matrix(logits, [0, 1, 1]).tolist() == [[1, 0], [1, 1]]
    ```
    """
    logits, labels = require_predictions(logits, labels)
    classes = logits.shape[-1]
    places = labels.astype("int64") * classes + likeliest(logits)
    return np.bincount(places, minlength=classes**2).reshape(classes, classes)
