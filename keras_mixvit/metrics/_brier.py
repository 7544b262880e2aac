from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._predictions import sample_scores


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Brier(keras.metrics.MeanMetricWrapper):
    """Brier score: squared distance of the probabilities to the label.

    For probabilities p and a one-hot or soft label y, it is the mean over samples of
    $\\sum_k (p_k - y_k)^2$.

    Args:
        per_class: Boolean, whether to take the mean over classes, as the
            published MixMo code does, instead of the sum. Defaults to
            `False`.
        name: String, the name of the metric. Defaults to `"brier"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Input shape:
        Labels `(...)`, integers, or `(..., K)`, soft, used unchanged; logits `(...,
        K)`.

    Example:

    ```python
    metric = Brier()
    metric.update_state([0], np.log([[0.9, 0.1]]))
    assert abs(float(metric.result()) - 0.02) < 1e-6
    ```

    References:
        Brier, Verification of Forecasts Expressed in Terms of Probability,
        1950.
    """

    def __init__(
        self,
        per_class: bool = False,
        name: str = "brier",
        dtype: Dtype = None,
    ):
        super().__init__(
            fn=squared_distance, name=name, dtype=dtype, per_class=per_class
        )
        self.per_class = per_class

    def get_config(self) -> dict[str, Any]:
        return {"per_class": self.per_class, "name": self.name, "dtype": self.dtype}


def squared_distance(labels: Tensor, logits: Tensor, per_class: bool = False):
    """Brier score of each prediction, `(...)`."""
    labels, logits = ops.convert_to_tensor(labels), ops.cast(logits, "float32")
    if len(labels.shape) < len(logits.shape):
        labels = ops.one_hot(ops.cast(labels, "int32"), logits.shape[-1])
    squares = ops.square(ops.softmax(logits, axis=-1) - ops.cast(labels, "float32"))
    return ops.mean(squares, axis=-1) if per_class else ops.sum(squares, axis=-1)


def brier(
    logits: npt.ArrayLike, labels: npt.ArrayLike, per_class: bool = False
) -> float:
    """Brier score: squared distance of the probabilities to the one-hot label.

    It is the mean over samples of $\\sum_k (p_k - y_k)^2$ for probabilities p and
    one-hot labels y.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
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
