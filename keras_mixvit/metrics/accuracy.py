from keras_mixvit._checks import require_positive_integer
from keras_mixvit.metrics.predictions import SampleScores, sample_scores


def accuracy(logits, labels, k: int = 1) -> float:
    """Share of predictions with the true class among the k likeliest.

    Of classes with equal logits the first are taken, so that one prediction
    has k classes, not more. With k of K or more all predictions are right.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, of which the mean over M
            subnetworks is judged.
        labels: Integer array `(n,)`.
        k: Positive integer. Defaults to `1`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    assert accuracy([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [2, 0]) == 0.5
    assert accuracy([[0.0, 2.0, 1.0], [3.0, 2.0, 1.0]], [2, 0], k=2) == 1.0
    ```

    References:
        MixMo, Section 4.1 (Top1, Top5).
    """
    return accuracy_of(sample_scores(logits, labels), k)


def accuracy_of(scores: SampleScores, k: int = 1) -> float:
    """Top-k accuracy from the scores of all samples."""
    require_positive_integer("k", k)
    return float((scores.rank < k).mean())
