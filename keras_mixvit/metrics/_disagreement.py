import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._types import Dtype, Tensor
from keras_mixvit.metrics._predictions import require_subnetworks
from keras_mixvit.metrics._ratio_error import predicted_classes
from keras_mixvit.metrics._subnetwork_pairs import (
    SubnetworkPairs,
    require_pair,
    shares_of_pairs,
)


@keras.saving.register_keras_serializable(package="keras_mixvit")
class Disagreement(SubnetworkPairs):
    """Share of samples on which two subnetworks predict different classes.

    It is the mean over all pairs of subnetworks.

    Args:
        name: String, the name of the metric. Defaults to `"disagreement"`.
        dtype: Dtype of the result, or `None` for the default. Defaults to
            `None`.

    Input shape:
        Labels, which are ignored; logits `(B, M, K)`; sample weights `(B,)`.

    Example:

    ```python
    metric = Disagreement()
    metric.update_state([[0, 0], [0, 0]], np.eye(3)[[[0, 0], [1, 0]]])
    assert float(metric.result()) == 0.5
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """

    def __init__(self, name: str = "disagreement", dtype: Dtype = None):
        super().__init__(name, dtype)

    def values(self, logits: Tensor) -> Tensor:
        logits = ops.convert_to_tensor(logits)
        # Keras's argmax of floats ranks -0.0 below 0.0 on two of the three backends.
        is_top = logits == ops.max(logits, axis=-1, keepdims=True)
        predicted = ops.argmax(ops.cast(is_top, "int32"), axis=-1)
        subnetworks = require_pair(predicted)
        differ = ops.cast(predicted[:, :, None] != predicted[:, None, :], "float32")
        return ops.sum(differ, axis=(1, 2)) / (subnetworks * (subnetworks - 1))


def disagreement(logits: npt.ArrayLike) -> float:
    """Share of samples on which two subnetworks predict different classes.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.

    Returns:
        Float in [0, 1], the mean over all pairs.

    Raises:
        ValueError: If logits are NaN, or have fewer than two subnetworks.

    Example:

    ```python
    logits = np.eye(3)[[[0, 0], [1, 0], [2, 2], [1, 2]]]
    assert disagreement(logits) == 0.5
    ```

    References:
        Fort et al., Deep Ensembles: A Loss Landscape Perspective, 2019.
    """
    return disagreement_of(predicted_classes(require_subnetworks(logits)))


def disagreement_of(predicted: np.ndarray) -> float:
    """Disagreement from predicted classes `(n, M)`."""
    return float(shares_of_pairs(predicted).mean())
