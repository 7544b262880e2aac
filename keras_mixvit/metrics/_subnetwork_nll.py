import keras

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._nll import negative_log_likelihood
from keras_mixvit.metrics._subnetwork_mean import SubnetworkMean


@keras.saving.register_keras_serializable(package="keras_mixvit")
class SubnetworkNLL(SubnetworkMean):
    """Mean negative log-likelihood of each subnetwork on its own.

    Like `SubnetworkAccuracy`, it gets the logits of all subnetworks, even in
    validation.

    Args:
        subnetwork: Integer, the subnetwork to measure, or `None` for the mean over all.
            Defaults to `None`.
        name: String, the metric's name. Defaults to `"subnetwork_nll"`.
        dtype: Dtype of the result; `None` is the default. Defaults to `None`.

    Raises:
        ValueError: If `subnetwork` is not the index of a subnetwork.

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
        dtype: Dtype = None,
    ):
        super().__init__(subnetwork, name, dtype)

    def values(self, labels: Tensor, logits: Tensor) -> Tensor:
        return negative_log_likelihood(labels, logits)
