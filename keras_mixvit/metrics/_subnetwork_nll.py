import keras

from keras_mixvit._types import Tensor
from keras_mixvit.metrics._nll import negative_log_likelihood
from keras_mixvit.metrics._subnetwork_mean import SubnetworkMean


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SubnetworkNLL(SubnetworkMean):
    """Mean negative log-likelihood of the subnetworks, each on its own.

    `MIMOModel` gives it the logits of all subnetworks, in validation too,
    where other metrics are given the ensemble.

    Args:
        subnetwork: Integer, the only subnetwork to count, or `None` for the
            mean over all. Defaults to `None`.
        name: String, the name of the metric. Defaults to
            `"subnetwork_nll"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Raises:
        ValueError: If `subnetwork` is no index of a subnetwork.

    Input shape:
        Labels `(B, M)` or `(B, M, K)`; logits `(B, M, K)`.

    Example:

    ```python
    metric = SubnetworkNLL()
    metric.update_state([[0, 1]], np.log([[[0.5, 0.5], [0.75, 0.25]]]))
    assert abs(float(metric.result()) - np.log(8) / 2) < 1e-6
    ```

    References:
        MixMo, Section 4.1 (NLL).
    """

    def __init__(
        self,
        subnetwork: int | None = None,
        name: str = "subnetwork_nll",
        dtype: str | keras.DTypePolicy | None = None,
    ):
        super().__init__(subnetwork, name, dtype)

    def values(self, labels: Tensor, logits: Tensor) -> Tensor:
        return negative_log_likelihood(labels, logits)
