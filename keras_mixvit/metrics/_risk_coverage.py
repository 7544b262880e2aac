import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import SampleScores, sample_scores


def risk_coverage(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """The risk-coverage curve: errors among the most confident predictions.

    A selective classifier answers only if its confidence, the highest probability, is
    high. Coverage is the share of samples that it answers, and risk is the share of
    errors among these. With samples sorted from the highest confidence,
    risk(i / n) = (errors among the first i) / i.

    Samples of equal confidence have no order. Each counts as the mean error of its
    group, which is the average over random orders. Other libraries use the order of the
    samples in the data.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Coverages 1/n, 2/n, ... 1, and the risks at them, arrays `(n,)`.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    coverage, risk = risk_coverage(logits, [0, 1, 1, 1])
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1.0]
    assert risk.tolist() == [0.0, 0.0, 1 / 3, 0.5]
    ```

    References:
        Geifman and El-Yaniv, Selective Classification for Deep Neural Networks,
        2017, Eqs. 1 and 2.
    """
    return curve_of(sample_scores(logits, labels))


def curve_of(scores: SampleScores) -> tuple[np.ndarray, np.ndarray]:
    """The risk-coverage curve from the scores of all samples."""
    _, group, sizes = np.unique(
        -scores.confidence, return_inverse=True, return_counts=True
    )
    wrong = np.bincount(group, ~scores.right)
    places, n = np.arange(1, len(group) + 1), len(group)
    inside = places - np.repeat(np.cumsum(sizes) - sizes, sizes)
    before = np.repeat(np.cumsum(wrong) - wrong, sizes)
    errors = before + inside * np.repeat(wrong, sizes) / np.repeat(sizes, sizes)
    return places / n, errors / places
