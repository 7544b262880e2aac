import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_number, require
from keras_mixvit.metrics._predictions import SampleScores, sample_scores
from keras_mixvit.metrics._risk_coverage import curve_of


def risk_at_coverage(
    logits: npt.ArrayLike, labels: npt.ArrayLike, coverage: float = 0.8
) -> float:
    """Share of errors among the most confident predictions, at one coverage.

    It is risk(i / n) of `risk_coverage` for the least i with i / n >= `coverage`.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        coverage: Float in (0, 1], the share of samples that the classifier answers.
            Defaults to `0.8`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, logits and labels do not fit, or the coverage
            is out of range.

    Example:

    ```python
    logits = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    assert risk_at_coverage(logits, [0, 1, 1, 1], coverage=0.5) == 0
    assert risk_at_coverage(logits, [0, 1, 1, 1], coverage=1.0) == 0.5
    ```

    References:
        Geifman and El-Yaniv, Selective Classification for Deep Neural Networks,
        2017.
    """
    return risk_at_coverage_of(sample_scores(logits, labels), coverage)


def coverage_at_risk(
    logits: npt.ArrayLike, labels: npt.ArrayLike, risk: float = 0.05
) -> float:
    """The largest share of samples that the classifier can answer at a given risk.

    It is the largest i / n at which risk(i / n) of `risk_coverage` is at most `risk`.
    The risk may be higher at a lower coverage.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        risk: Float in [0, 1), the allowed share of errors. Defaults to `0.05`.

    Returns:
        Float in [0, 1]; 0 if no coverage has so low a risk. (torch-uncertainty returns
        NaN.)

    Raises:
        ValueError: If logits are NaN, logits and labels do not fit, or the risk is
            out of range.

    Example:

    ```python
    logits = [[3.0, 0.0], [1.0, 0.0], [2.0, 0.0], [0.0, 4.0]]
    assert coverage_at_risk(logits, [0, 1, 1, 1]) == 0.5
    assert coverage_at_risk(logits, [0, 1, 1, 1], risk=0.4) == 0.75
    ```

    References:
        Geifman and El-Yaniv, Selective Classification for Deep Neural Networks,
        2017.
    """
    return coverage_at_risk_of(sample_scores(logits, labels), risk)


def risk_at_coverage_of(scores: SampleScores, coverage: float = 0.8) -> float:
    """Risk at a coverage from the scores of all samples."""
    require(
        is_number(coverage) and 0 < coverage <= 1,
        "`coverage` must be in (0, 1].",
        coverage=coverage,
    )
    coverages, risks = curve_of(scores)
    return float(risks[np.searchsorted(coverages, coverage, side="left")])


def coverage_at_risk_of(scores: SampleScores, risk: float = 0.05) -> float:
    """Coverage at a risk from the scores of all samples."""
    require(is_number(risk) and 0 <= risk < 1, "`risk` must be in [0, 1).", risk=risk)
    coverages, risks = curve_of(scores)
    return float(coverages[risks <= risk].max(initial=0.0))
