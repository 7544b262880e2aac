import numpy.typing as npt

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.metrics._resamples import Resamples
from keras_mixvit.metrics._weighted_scores import WeightedScores


def bootstrap_intervals(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    replicates: int = 1000,
    level: float = 0.95,
    bins: int = 15,
    seed: int = 0,
) -> dict[str, tuple[float, float]]:
    """Confidence intervals of the scores of one model, by the percentile bootstrap.

    Each resample draws n test images with replacement and computes all scores on them.
    The interval is the middle `level` of the resamples, from the (1 - level) / 2 to the
    (1 + level) / 2 quantile. It shows how much other test images could change a score.
    It does not show how much another training could; for that, train with several
    seeds. Calibration errors cannot be negative, and resampling increases them, so
    their interval may lie above the score itself.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        replicates: Positive integer, the number of resamples. Defaults to `1000`.
        level: Float in (0, 1), the share of resamples in an interval. Defaults to
            `0.95`.
        bins: Positive integer, the number of bins of calibration errors. Defaults to
            `15`.
        seed: Non-negative integer, the seed of the resamples. Defaults to `0`.

    Returns:
        Dict from names of scores to pairs (low, high): `accuracy`, `top5`, `nll`,
        `brier`, `ece`, `adaptive_ece`, `auroc`, `aurc`, `excess_aurc`, `risk_at_80`
        and `coverage_at_5`.

    Raises:
        ValueError: If logits are NaN, logits and labels do not fit, or an option is out
            of range.

    Example:

    ```python
    logits = [[2.0, 0.0], [1.0, 0.0], [0.0, 3.0], [0.0, 1.0]] * 25
    low, high = bootstrap_intervals(logits, [0, 1, 1, 1] * 25)["accuracy"]
    assert 0.6 < low < 0.75 < high < 0.9
    ```

    References:
        Efron, Bootstrap Methods: Another Look at the Jackknife, 1979; Efron and
        Tibshirani, An Introduction to the Bootstrap, 1993, Chapter 13.
    """
    scores = sample_scores(logits, labels)
    require_positive_integer("bins", bins)
    require_positive_integer("seed", seed, minimum=0)
    resamples = Resamples(len(scores.rank), replicates, seed, level)
    judge = WeightedScores(scores, bins)
    low, high = resamples.interval(resamples.values(judge)).tolist()
    return dict(zip(judge.NAMES, zip(low, high, strict=True), strict=True))
