from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._predictions import sample_scores


@keras.saving.register_keras_serializable(package="keras_mixvit")
class NLL(keras.metrics.MeanMetricWrapper):
    """Mean negative log-likelihood of the true class, from logits.

    For probabilities p and a label y it is $-\\sum_k y_k \\log p_k$. Labels are not
    smoothed; soft labels are used unchanged.

    Args:
        name: String, the name of the metric. Defaults to `"nll"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Input shape:
        Labels `(...)`, integers, or `(..., K)`, soft; logits `(..., K)`.

    Example:

    ```python
    metric = NLL()
    metric.update_state([0, 1], np.log([[0.5, 0.5], [0.75, 0.25]]))
    assert abs(float(metric.result()) - np.log(8) / 2) < 1e-6
    ```

    References:
        MixMo, Section 4.1 (NLL).
    """

    def __init__(self, name: str = "nll", dtype: Dtype = None):
        super().__init__(fn=negative_log_likelihood, name=name, dtype=dtype)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def negative_log_likelihood(labels: Tensor, logits: Tensor):
    """NLL `(...)` of labels `(...)` or `(..., K)` given logits `(..., K)`."""
    labels, logits = ops.convert_to_tensor(labels), ops.cast(logits, "float32")
    # Keras's cross-entropies can multiply minus infinity by 0.
    logs = ops.log_softmax(logits, axis=-1)
    if len(labels.shape) == len(logits.shape):
        labels = ops.cast(labels, "float32")
        terms = ops.where(labels > 0, labels * logs, 0.0)
        return -ops.sum(terms, axis=-1)
    labels = ops.expand_dims(ops.cast(labels, "int32"), -1)
    return -ops.squeeze(ops.take_along_axis(logs, labels, axis=-1), axis=-1)


def nll(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Mean negative log-likelihood of the true class.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Float in nats; infinity if a true class has probability 0.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.log([[0.5, 0.5], [0.75, 0.25]])
    assert abs(nll(logits, [0, 1]) - np.log(8) / 2) < 1e-12
    ```

    References:
        MixMo, Section 4.1 (NLL).
    """
    return float(sample_scores(logits, labels).nll.mean())
