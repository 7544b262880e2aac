import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics import accuracy, ratio_error


def subnetwork_scores(logits: npt.ArrayLike, labels: npt.ArrayLike) -> dict[str, float]:
    """Accuracy of the ensemble and of its subnetworks, and their diversity.

    Args:
        logits: Array `(n, M, K)` with M of at least 2,
            `model.inference_network.predict(x)`.
        labels: Integer array `(n,)`.

    Returns:
        Dict of floats: `accuracy`, of the mean of the logits,
        `subnetwork_accuracy`, the mean over the subnetworks, and `ratio_error`,
        the mean over pairs of the number of images that only one gets wrong
        over the number that both do.

    Raises:
        ValueError: If logits and labels do not fit, or M is 1.

    Example:

    ```python
    rng = np.random.default_rng(0)
    scores = subnetwork_scores(rng.normal(size=(50, 2, 4)), np.zeros(50, int))
    assert list(scores) == ["accuracy", "subnetwork_accuracy", "ratio_error"]
    ```

    References:
        MixMo, Sections 4.1 and 4.3.2 (d_re).
    """
    # First, because it refuses logits without subnetworks.
    diversity = ratio_error(logits, labels)
    subnetworks = np.moveaxis(np.asarray(logits), 1, 0)
    return {
        "accuracy": accuracy(logits, labels),
        "subnetwork_accuracy": float(
            np.mean([accuracy(m, labels) for m in subnetworks])
        ),
        "ratio_error": diversity,
    }
