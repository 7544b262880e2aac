import numpy as np

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.metrics.predictions import SampleScores, sample_scores


def calibration_error(logits, labels, bins: int = 15, adaptive: bool = False) -> float:
    """Expected calibration error: how far confidence is from accuracy.

    Predictions are sorted into bins by their confidence, the highest
    probability; the distances of mean confidence and accuracy in each bin are
    averaged, weighted with the samples of the bin.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, of which the mean over M
            subnetworks is judged.
        labels: Integer array `(n,)`.
        bins: Positive integer, the number of bins. Defaults to `15`.
        adaptive: Boolean, whether bins hold equally many samples, within one,
            instead of equally long intervals (low, high]. Samples of equal
            confidence share their accuracy, so that their order does not
            matter. Defaults to `False`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.log([[0.9, 0.1]] * 4)
    assert abs(calibration_error(logits, [0, 0, 0, 1]) - 0.15) < 1e-12
    ```

    References:
        MixMo, Section 6.5 (ECE, 15 bins); Naeini et al., 2015; Nguyen and
        O'Connor, Posterior Calibration and Exploratory Analysis for Natural
        Language Processing Models, 2015 (adaptive).
    """
    return calibration_error_of(sample_scores(logits, labels), bins, adaptive)


def calibration_error_of(
    scores: SampleScores, bins: int = 15, adaptive: bool = False
) -> float:
    """Calibration error from the scores of all samples."""
    require_positive_integer("bins", bins)
    confidence, right = scores.confidence, scores.right.astype("float64")
    if adaptive:
        values, group, sizes = np.unique(
            confidence, return_inverse=True, return_counts=True
        )
        right = np.repeat(np.bincount(group, right) / sizes, sizes)
        confidence = np.repeat(values, sizes)
        edges = np.linspace(0, len(right), bins + 1).round().astype(int)
        index = np.repeat(np.arange(bins), np.diff(edges))
    else:
        index = np.searchsorted(bin_edges(bins), confidence, side="left")
    gaps = np.bincount(index, right - confidence, minlength=bins)
    return float(np.abs(gaps).sum() / len(right))


def bin_edges(bins: int) -> np.ndarray:
    """The inner edges of equally long bins."""
    return np.arange(1, bins) / bins
