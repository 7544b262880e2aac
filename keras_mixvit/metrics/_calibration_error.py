from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._accuracy import is_among_likeliest
from keras_mixvit.metrics._predictions import SampleScores, sample_scores


@keras.saving.register_keras_serializable(package="keras_mixvit")
class ECE(keras.metrics.Metric):
    """Expected calibration error: how far confidence is from accuracy.

    It sorts predictions into bins (low, high] of equal length by their confidence, the
    highest probability. With $n_b$ of n samples in bin b, the error is
    $\\sum_b \\frac{n_b}{n} |\\mathrm{accuracy}_b - \\mathrm{confidence}_b|$. Bins fill
    over all batches before they are compared.

    Args:
        bins: Positive integer, the number of bins. Defaults to `15`.
        name: String, the name of the metric. Defaults to `"ece"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If `bins` is not positive.

    Input shape:
        Labels `(...)`, integers, or `(..., K)`, soft, whose likeliest class counts;
        logits `(..., K)`.

    Example:

    ```python
    metric = ECE()
    metric.update_state([0, 0, 0, 1], np.log([[0.9, 0.1]] * 4))
    assert abs(float(metric.result()) - 0.15) < 1e-6
    ```

    References:
        MixMo, Section 6.5 (ECE, 15 bins); Naeini et al., 2015.
    """

    def __init__(
        self,
        bins: int = 15,
        name: str = "ece",
        dtype: Dtype = None,
    ):
        super().__init__(name=name, dtype=dtype)
        require_positive_integer("bins", bins)
        self.bins = bins
        self.gaps = self.add_weight(shape=(bins,), initializer="zeros", name="gaps")
        self.total = self.add_weight(shape=(), initializer="zeros", name="total")

    def update_state(
        self, labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        logits = ops.cast(logits, "float32")
        right = is_among_likeliest(labels, logits)
        confidence = ops.max(ops.softmax(logits, axis=-1), axis=-1)
        edges = ops.convert_to_tensor(bin_edges(self.bins).astype("float32"))
        above = ops.cast(confidence[..., None] > edges, "int32")
        in_bin = ops.one_hot(ops.sum(above, axis=-1), self.bins)
        weights = broadcast_weights(sample_weight, confidence)
        gaps = in_bin * (weights * (right - confidence))[..., None]
        self.gaps.assign_add(ops.sum(ops.reshape(gaps, (-1, self.bins)), axis=0))
        self.total.assign_add(ops.sum(weights))

    def result(self) -> Tensor:
        return ops.divide_no_nan(ops.sum(ops.abs(self.gaps)), self.total)

    def get_config(self) -> dict[str, Any]:
        return {"bins": self.bins, "name": self.name, "dtype": self.dtype}


def broadcast_weights(sample_weight, values):
    """Sample weights in the shape of float32 values, or ones if there are none."""
    if sample_weight is None:
        return ops.ones_like(values)
    weights = ops.cast(sample_weight, "float32")
    missing = len(values.shape) - len(weights.shape)
    weights = ops.reshape(weights, (*ops.shape(weights), *[1] * missing))
    return weights * ops.ones_like(values)


def calibration_error(
    logits: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 15, adaptive: bool = False
) -> float:
    """Expected calibration error: how far confidence is from accuracy.

    It sorts predictions into bins by their confidence, the highest probability. With
    $n_b$ of n samples in bin b, the error is $\\sum_b \\frac{n_b}{n}
    |\\mathrm{accuracy}_b - \\mathrm{confidence}_b|$.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        bins: Positive integer, the number of bins. Defaults to `15`.
        adaptive: Boolean, whether bins have equal numbers of samples, up to one,
            instead of equal lengths (low, high]. Samples of equal confidence share
            their accuracy, so their order does not matter. Defaults to `False`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.log([[0.9, 0.1]] * 4)
    assert abs(calibration_error(logits, [0, 0, 0, 1]) - 0.15) < 1e-12
    ```

    References:
        MixMo, Section 6.5 (ECE, 15 bins); Naeini et al., 2015; Nguyen and
        O'Connor, Posterior Calibration and Exploratory Analysis for Natural
        Language Processing Models, 2015 (adaptive).
    """
    return calibration_error_of(sample_scores(logits, labels), bins, adaptive)


def calibration_error_of(
    scores: SampleScores, bins: int = 15, adaptive: bool = False
) -> float:
    """Calibration error from the scores of all samples."""
    require_positive_integer("bins", bins)
    confidence, right = scores.confidence, scores.right.astype("float64")
    if adaptive:
        values, group, sizes = np.unique(
            confidence, return_inverse=True, return_counts=True
        )
        right = np.repeat(np.bincount(group, right) / sizes, sizes)
        confidence = np.repeat(values, sizes)
        edges = np.linspace(0, len(right), bins + 1).round().astype(int)
        index = np.repeat(np.arange(bins), np.diff(edges))
    else:
        index = np.searchsorted(bin_edges(bins), confidence, side="left")
    gaps = np.bincount(index, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))


def bin_edges(bins: int) -> np.ndarray:
    """The inner edges of bins of equal length."""
    return np.arange(1, bins) / bins
