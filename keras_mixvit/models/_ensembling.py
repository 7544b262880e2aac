import math
from typing import Any

from keras import ops

from keras_mixvit._checks import require_choice


def ensemble_logits(logits: Any, ensemble_of: str = "logits") -> Any:
    """Logits of the ensemble of M subnetworks, in float32.

    Args:
        logits: Tensor `(B, M, K)`, the logits of the subnetworks.
        ensemble_of: `"logits"` for their mean, as in the published MixMo
            code, or `"probabilities"` for the logarithm of the mean softmax.
            Defaults to `"logits"`.

    Returns:
        Tensor `(B, K)`; its softmax is the prediction of the ensemble.

    Raises:
        ValueError: If `ensemble_of` is neither.

    Example:

    ```python
    logits = np.log([[[0.9, 0.1], [0.5, 0.5]]])
    mean = ops.softmax(ensemble_logits(logits, "probabilities"))
    assert abs(float(mean[0, 0]) - 0.7) < 1e-6
    ```

    References:
        MixViT, Section 2.1; MixMo, Section 3.1 (mean of the predictions).
    """
    require_choice("ensemble_of", ensemble_of, ("logits", "probabilities"))
    logits = ops.cast(logits, "float32")
    if ensemble_of == "logits":
        return ops.mean(logits, axis=1)
    log_probabilities = ops.log_softmax(logits, axis=-1)
    # A number: an export to ONNX would turn a tensor into an input.
    return ops.logsumexp(log_probabilities, axis=1) - math.log(logits.shape[1])
