from typing import Any

import keras
import numpy.typing as npt
from keras import ops

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._predictions import SampleScores, sample_scores


@keras.saving.register_keras_serializable(package="keras_mixvit")
class TopKAccuracy(keras.metrics.MeanMetricWrapper):
    """Share of predictions with the true class among the k likeliest.

    If classes have equal logits, the first ones count, so a prediction never has more
    than k classes. For a soft label, the likeliest class is the true one.

    Args:
        k: Positive integer, the number of classes that count. Defaults to `5`.
        name: String, the name of the metric. Defaults to `"top_k_accuracy"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If `k` is not positive.

    Input shape:
        Labels `(...)`, integers, or `(..., K)`, soft; logits `(..., K)`.

    Example:

    ```python
    metric = TopKAccuracy(k=2)
    metric.update_state([2, 2], [[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]])
    assert float(metric.result()) == 0.5
    ```

    References:
        MixMo, Section 4.1 (Top5).
    """

    def __init__(
        self,
        k: int = 5,
        name: str = "top_k_accuracy",
        dtype: Dtype = None,
    ):
        require_positive_integer("k", k)
        super().__init__(fn=is_among_likeliest, name=name, dtype=dtype, k=k)
        self.k = k

    def get_config(self) -> dict[str, Any]:
        return {"k": self.k, "name": self.name, "dtype": self.dtype}


def is_among_likeliest(labels: Tensor, logits: Tensor, k: int = 1):
    """1 if the true class is among the k likeliest, else 0, `(...)`."""
    labels, logits = ops.convert_to_tensor(labels), ops.cast(logits, "float32")
    if len(labels.shape) == len(logits.shape):
        labels = ops.argmax(labels, axis=-1)
    labels = ops.expand_dims(ops.cast(labels, "int32"), -1)
    of_true = ops.take_along_axis(logits, labels, axis=-1)
    classes = logits.shape[-1]
    later = ops.arange(classes, dtype="int32") >= labels
    # With this comparison, a NaN prediction is wrong.
    behind = (logits < of_true) | ((logits == of_true) & later)
    rank = classes - ops.sum(ops.cast(behind, "int32"), axis=-1)
    return ops.cast(rank < k, "float32")


def accuracy(logits: npt.ArrayLike, labels: npt.ArrayLike, k: int = 1) -> float:
    """Share of predictions with the true class among the k likeliest.

    If classes have equal logits, the first ones count, so a prediction never has more
    than k classes. With k of K or more, all predictions are right.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        k: Positive integer, the number of classes that count. Defaults to `1`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    assert accuracy([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [2, 0]) == 0.5
    assert accuracy([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [2, 0], k=2) == 1.0
    ```

    References:
        MixMo, Section 4.1 (Top1, Top5).
    """
    return accuracy_of(sample_scores(logits, labels), k)


def accuracy_of(scores: SampleScores, k: int = 1) -> float:
    """Top-k accuracy from the scores of all samples."""
    require_positive_integer("k", k)
    return float((scores.rank < k).mean())
