import keras
from keras import ops

from keras_mixvit._checks import require, require_positive_integer


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SubnetworkAccuracy(keras.metrics.Mean):
    """Accuracy of the subnetworks, each on its own.

    `MIMOModel` gives it the logits of all subnetworks, in validation too,
    where other metrics are given the ensemble.

    Args:
        subnetwork: Integer, the only subnetwork to count, or `None` for the
            mean over all. Defaults to `None`.
        name: String, the name of the metric. Defaults to
            `"subnetwork_accuracy"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If `subnetwork` is no index of a subnetwork.

    Input shape:
        Labels `(B, M)` or `(B, M, K)`; logits `(B, M, K)`.

    Example:

    ```python
    metric = SubnetworkAccuracy()
    metric.update_state([[0, 0]], [[[2.0, 1.0], [1.0, 2.0]]])
    assert float(metric.result()) == 0.5
    ```

    References:
        MixMo, Section 4.1 (individual accuracies).
    """

    on_subnetworks = True

    def __init__(
        self,
        subnetwork: int | None = None,
        name: str = "subnetwork_accuracy",
        dtype=None,
    ):
        super().__init__(name=name, dtype=dtype)
        if subnetwork is not None:
            require_positive_integer("subnetwork", subnetwork, minimum=0)
        self.subnetwork = subnetwork

    def update_state(self, labels, logits, sample_weight=None):
        labels, logits = ops.convert_to_tensor(labels), ops.convert_to_tensor(logits)
        if sample_weight is not None:
            sample_weight = ops.convert_to_tensor(sample_weight)
        if len(labels.shape) == len(logits.shape):
            labels = ops.argmax(labels, axis=-1)
        predicted = ops.cast(ops.argmax(logits, axis=-1), "int32")
        right = ops.cast(predicted == ops.cast(labels, "int32"), self.dtype)
        if self.subnetwork is not None:
            require(
                self.subnetwork < right.shape[1],
                f"`subnetwork` must be in 0 to {right.shape[1] - 1}.",
                subnetwork=self.subnetwork,
            )
            right = right[:, self.subnetwork]
            if sample_weight is not None and len(sample_weight.shape) == 2:
                sample_weight = sample_weight[:, self.subnetwork]
        return super().update_state(right, sample_weight)

    def get_config(self):
        return {"subnetwork": self.subnetwork, "name": self.name, "dtype": self.dtype}
