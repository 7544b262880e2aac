import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import SampleScores, sample_scores
from keras_mixvit.metrics._risk_coverage import curve_of


def aurc(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """Area under the risk-coverage curve, the mean risk over all coverages.

    $\\mathrm{AURC} = \\frac{1}{n} \\sum_{i=1}^{n} \\mathrm{risk}(i / n)$, with the risk
    of `risk_coverage`. It is small if the model is accurate and its errors have low
    confidence.

    This is the plain mean of the paper. torch-uncertainty computes a trapezoidal
    area over coverages 1/n to 1 and divides it by 1 - 1/n; the two differ by about
    1/n.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Float in [0, 1]; 0 if all predictions are right.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    assert abs(aurc(logits, [0, 1, 1, 1]) - (1 / 3 + 1 / 2) / 4) < 1e-12
    ```

    References:
        Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep
        Neural Classifiers, 2019, Section 3.
    """
    return aurc_of(sample_scores(logits, labels))


def excess_aurc(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """AURC minus the AURC of the best confidence, to compare models of any accuracy.

    E-AURC = AURC - AURC*, where AURC* is the area if every error had a lower confidence
    than every right prediction. So it measures the confidence, not the accuracy.
    AURC* is exact here; the paper approximates it for large n by r + (1 - r)
    log(1 - r), where r is the share of errors.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.

    Returns:
        Float in [0, 1]; 0 if the errors have the lowest confidence.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    assert excess_aurc(logits, [0, 1, 1, 1]) == 0
    assert excess_aurc(logits, [1, 1, 0, 1]) > 0
    ```

    References:
        Geifman, Uziel and El-Yaniv, Bias-Reduced Uncertainty Estimation for Deep
        Neural Classifiers, 2019, Section 3 (E-AURC).
    """
    return excess_aurc_of(sample_scores(logits, labels))


def aurc_of(scores: SampleScores) -> float:
    """AURC from the scores of all samples."""
    return float(curve_of(scores)[1].mean())


def excess_aurc_of(scores: SampleScores) -> float:
    """E-AURC from the scores of all samples."""
    # Rounding could make it negative.
    return max(aurc_of(scores) - float(best_risks(scores).mean()), 0.0)


def best_risks(scores: SampleScores) -> npt.NDArray[np.float64]:
    """The risks `(n,)` if all errors were the least confident."""
    places = np.arange(1, len(scores.rank) + 1)
    return np.maximum(places - scores.right.sum(), 0) / places
