from typing import Any

import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit._types import Dtype, Tensor


class SubnetworkMean(keras.metrics.Mean):
    """The mean of a value of every subnetwork's predictions, or of one subnetwork's.

    A subclass defines `values`.

    Args:
        subnetwork: Integer, the subnetwork to measure, or `None` for all.
        name: String, the name of the metric.
        dtype: Dtype of the result, or `None` for the default.

    Raises:
        ValueError: If `subnetwork` is not the index of a subnetwork.
    """

    on_subnetworks = True

    def __init__(self, subnetwork: int | None, name: str, dtype: Dtype):
        super().__init__(name=name, dtype=dtype)
        if subnetwork is not None:
            require_positive_integer("subnetwork", subnetwork, minimum=0)
        self.subnetwork = subnetwork

    def values(self, labels: Tensor, logits: Tensor) -> Tensor:
        """Values `(B, M)` of labels `(B, M[, K])` and logits `(B, M, K)`."""
        raise NotImplementedError

    def update_state(
        self, labels: Tensor, logits: Tensor, sample_weight: Tensor | None = None
    ) -> Tensor:
        labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
        values = self.values(labels, logits)
        if self.subnetwork is not None:
            require(
                self.subnetwork < values.shape[1],
                f"`subnetwork` must be in 0 to {values.shape[1] - 1}.",
                subnetwork=self.subnetwork,
            )
            values = values[:, self.subnetwork]
            if sample_weight is not None and len(sample_weight.shape) == 2:
                sample_weight = sample_weight[:, self.subnetwork]
        return super().update_state(values, sample_weight)

    def get_config(self) -> dict[str, Any]:
        return {"subnetwork": self.subnetwork, "name": self.name, "dtype": self.dtype}
