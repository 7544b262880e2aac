from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import Dtype, Tensor


class SubnetworkPairs(keras.metrics.Mean):
    """The mean over samples of a value that compares subnetworks.

    A subclass defines `values`.

    Args:
        name: String, the name of the metric.
        dtype: Dtype of the result, or `None` for the default.
    """

    on_subnetworks = True

    def __init__(self, name: str, dtype: Dtype):
        super().__init__(name=name, dtype=dtype)

    def values(self, logits: Tensor) -> Tensor:
        """Values `(B,)` of logits `(B, M, K)`."""
        raise NotImplementedError

    def update_state(
        self, labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        return super().update_state(self.values(logits), sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"name": self.name, "dtype": self.dtype}


def require_pair(values: Tensor) -> int:
    """The number M of subnetworks of `(B, M, ...)`, at least two."""
    require(
        values.shape[1] > 1,
        "`logits` must have at least two subnetworks.",
        num_subnetworks=values.shape[1],
    )
    return values.shape[1]


def shares_of_pairs(predicted: np.ndarray) -> np.ndarray:
    """Share of pairs with different classes `(n,)`, from predicted classes `(n, M)`."""
    first, second = np.triu_indices(predicted.shape[1], k=1)
    return (predicted[:, first] != predicted[:, second]).mean(axis=1)
