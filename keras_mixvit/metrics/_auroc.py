import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import SampleScores, sample_scores


def auroc(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the ROC curve: how well confidence separates right from wrong.

    It is the probability that a right prediction has a higher confidence than a wrong
    one; equal confidences count half. Confidence is the highest probability.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Float in [0, 1]; NaN if all predictions are right, or all wrong.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    assert auroc([[3.0, 0.0], [1.0, 0.0], [2.0, 0.0]], [0, 0, 1]) == 0.5
    ```

    References:
        Hendrycks and Gimpel, A Baseline for Detecting Misclassified and
        Out-of-Distribution Examples in Neural Networks, 2017.
    """
    return auroc_of(sample_scores(logits, labels))


def auroc_of(scores: SampleScores) -> float:
    """AUROC from the scores of all samples, by the ranks of Mann and Whitney."""
    right = scores.right
    num_right = int(right.sum())
    num_wrong = len(right) - num_right
    if num_right == 0 or num_wrong == 0:
        return float("nan")
    _, group, sizes = np.unique(
        scores.confidence, return_inverse=True, return_counts=True
    )
    # Equal confidences share the mean of their ranks 1..n.
    ranks = (np.cumsum(sizes) - (sizes - 1) / 2)[group]
    above = ranks[right].sum() - num_right * (num_right + 1) / 2
    return float(above / (num_right * num_wrong))
