import keras
from keras import ops

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._accuracy import is_among_likeliest
from keras_mixvit.metrics._subnetwork_mean import SubnetworkMean


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SubnetworkAccuracy(SubnetworkMean):
    """Accuracy of each subnetwork on its own, in training and validation.

    `MIMOModel` passes it the logits of all subnetworks, even in validation, where other
    metrics get the ensemble.

    Args:
        subnetwork: Integer, the subnetwork to measure, or `None` for the mean over all.
            Defaults to `None`.
        name: String, the name of the metric. Defaults to
            `"subnetwork_accuracy"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If `subnetwork` is not the index of a subnetwork.

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

    def __init__(
        self,
        subnetwork: int | None = None,
        name: str = "subnetwork_accuracy",
        dtype: Dtype = None,
    ):
        super().__init__(subnetwork, name, dtype)

    def values(self, labels: Tensor, logits: Tensor) -> Tensor:
        return ops.cast(is_among_likeliest(labels, logits), self.dtype)
