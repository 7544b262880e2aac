from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._accuracy import is_among_likeliest
from keras_mixvit.metrics._predictions import (
    highest,
    over_chunks,
    require_predictions,
    require_subnetworks,
)


@keras.saving.register_keras_serializable(package="keras_mixvit")
class RatioError(keras.metrics.Metric):
    """Diversity of the errors of subnetworks: single errors per common error, d_re.

    For a pair of subnetworks, $d_{re} = N_1 / N_2$: the number of samples that only one
    of them gets wrong, divided by the number that both get wrong, over all batches. The
    result is the mean over the pairs with any error: infinity if a pair has no common
    error, NaN if there is no error.

    Args:
        num_subnetworks: Integer of at least 2, the number M of subnetworks.
            Defaults to `2`.
        name: String, the name of the metric. Defaults to `"ratio_error"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If there is no pair, or predictions have another number of
            subnetworks.

    Input shape:
        Labels `(B, M)` or `(B, M, K)`; logits `(B, M, K)`; sample weights
        `(B,)`.

    Example:

    ```python
    metric = RatioError()
    logits = np.eye(3)[[[0, 0], [1, 0], [2, 2], [1, 2]]]
    metric.update_state(np.zeros((4, 2)), logits)
    assert float(metric.result()) == 0.5
    ```

    References:
        MixMo, Sections 4.3.2 and 6.6; Aksela, Comparison of Classifier
        Selection Methods for Improving Committee Performance, 2003.
    """

    on_subnetworks = True

    def __init__(
        self,
        num_subnetworks: int = 2,
        name: str = "ratio_error",
        dtype: Dtype = None,
    ):
        super().__init__(name=name, dtype=dtype)
        require_positive_integer("num_subnetworks", num_subnetworks, minimum=2)
        self.num_subnetworks = num_subnetworks
        shape = (num_subnetworks, num_subnetworks)
        self.single = self.add_weight(shape=shape, initializer="zeros", name="single")
        self.common = self.add_weight(shape=shape, initializer="zeros", name="common")

    def update_state(
        self, labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        require(
            logits.shape[1] == self.num_subnetworks,
            f"`num_subnetworks` must be that of the predictions, {logits.shape[1]}.",
            num_subnetworks=self.num_subnetworks,
        )
        wrong = 1 - is_among_likeliest(labels, logits)
        weighted = wrong * weights_per_sample(sample_weight, wrong)
        common = ops.matmul(ops.transpose(weighted), wrong)
        either = ops.sum(weighted, axis=0)
        self.common.assign_add(common)
        self.single.assign_add(either[:, None] + either[None, :] - 2 * common)

    def result(self) -> Tensor:
        upper = np.triu(np.ones(self.common.shape, "float32"), k=1)
        single, common = ops.convert_to_tensor(self.single), self.common * upper
        single = single * upper
        ratios = ops.where(
            common > 0, single / ops.maximum(common, 1e-30), float("inf")
        )
        counted = single + common > 0
        total = ops.sum(ops.where(counted, ratios, 0.0))
        return total / ops.sum(ops.cast(counted, total.dtype))

    def get_config(self) -> dict[str, Any]:
        return {
            "num_subnetworks": self.num_subnetworks,
            "name": self.name,
            "dtype": self.dtype,
        }


def weights_per_sample(sample_weight, values):
    """Weights `(B, 1)` of samples, or ones if there are none."""
    if sample_weight is None:
        return ops.ones_like(values[:, :1])
    weights = ops.cast(sample_weight, "float32")
    require(
        len(weights.shape) == 1,
        "`sample_weight` must have shape (B,): a pair of subnetworks shares it.",
        shape=tuple(weights.shape),
    )
    return weights[:, None]


def ratio_error(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Diversity of the errors of subnetworks: single errors per common error, d_re.

    For a pair of subnetworks, $d_{re} = N_1 / N_2$: the number of samples that only one
    of them gets wrong, divided by the number that both get wrong. The result is the
    mean over all pairs. A pair without common errors gives infinity; a pair without any
    error is left out. (For a pair without common errors, the published code returns
    twice the share of samples with one error: a low diversity in the most diverse
    case.)

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.
        labels: Integer array `(n,)`.

    Returns:
        Float; NaN if no subnetwork is ever wrong.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.eye(3)[[[0, 0], [1, 0], [2, 2], [1, 2]]]
    assert ratio_error(logits, [0, 0, 0, 0]) == 0.5
    ```

    References:
        MixMo, Sections 4.3.2 and 6.6; Aksela, Comparison of Classifier
        Selection Methods for Improving Committee Performance, 2003.
    """
    logits, labels = require_predictions(require_subnetworks(logits), labels)
    return ratio_error_of(predicted_classes(logits) != labels[:, None])


def ratio_error_of(wrong: np.ndarray) -> float:
    """d_re from the errors, Boolean `(n, M)`."""
    single, common = single_and_common(wrong)
    return mean_ratio(single.sum(axis=0), common.sum(axis=0))


def single_and_common(wrong: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Whether one of a pair is wrong, and whether both are, Boolean `(n, pairs)`."""
    first, second = np.triu_indices(wrong.shape[1], k=1)
    one, two = wrong[:, first], wrong[:, second]
    return one ^ two, one & two


def mean_ratio(single, common) -> float:
    """Mean of single / common over the pairs with an error."""
    single, common = np.asarray(single, "float64"), np.asarray(common, "float64")
    return float(mean_ratios(single[None], common[None])[0])


def mean_ratios(single: np.ndarray, common: np.ndarray) -> np.ndarray:
    """Means `(R,)` of `(R, pairs)` over pairs with an error; NaN without one."""
    counted = single + common > 0
    ratios = np.full(single.shape, np.inf)
    np.divide(single, common, out=ratios, where=common > 0)
    ratios[~counted] = 0
    total = counted.sum(axis=1)
    means = np.full(len(single), np.nan)
    return np.divide(ratios.sum(axis=1), total, out=means, where=total > 0)


def predicted_classes(logits: np.ndarray) -> np.ndarray:
    """The class that each subnetwork predicts, `(n, M)`; ties go to the first class."""

    def classes_of(chunk):
        highest(logits[chunk])
        return logits[chunk].argmax(axis=-1)

    return np.concatenate(over_chunks(classes_of, logits))
