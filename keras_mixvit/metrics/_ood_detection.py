import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_number, require, require_choice
from keras_mixvit.metrics._resamples import sums_of_groups

NAMES = ("auroc", "aupr_in", "aupr_out", "fpr95")


def ood_detection(
    known: npt.ArrayLike,
    unknown: npt.ArrayLike,
    tpr: float = 0.95,
    positive: str = "in",
) -> dict[str, float]:
    """How well a score separates images of the distribution from others.

    The score must be high for images out of the distribution, as in `ood_scores`.
    Papers differ in which class is positive:

    * `auroc` is the probability that an image out of the distribution has a higher
      score than one of the distribution; equal scores count half. It is the same for
      either positive class.
    * `aupr_in` is the average precision if images of the distribution are positive,
      `aupr_out` if the others are: sum_i (R_i - R_{i-1}) P_i over thresholds, as in
      scikit-learn and torchmetrics, not a trapezoidal area, which is too optimistic.
    * `fpr95` is the false-positive rate at the first threshold with a true-positive
      rate of at least 95 %. By default, images of the distribution are positive: the
      threshold accepts 95 % of them, and `fpr95` is the share of the others that it
      accepts, too. So the threshold depends only on known images. For OpenOOD's
      definition, choose `positive="out"`.

    A threshold never splits equal scores.

    Args:
        known: Array `(n,)`, scores of images of the distribution.
        unknown: Array `(m,)`, scores of images out of the distribution.
        tpr: Float in (0, 1], the true-positive rate of `fpr95`. Defaults to
            `0.95`.
        positive: `"in"` or `"out"`, the positive class of `fpr95`. Defaults to
            `"in"`.

    Returns:
        Dict of the floats `auroc`, `aupr_in`, `aupr_out` and `fpr95`, all in [0, 1].

    Raises:
        ValueError: If scores are empty, NaN or of another shape, or an option is out of
            range.

    Example:

    ```python
    found = ood_detection(known=[0.1, 0.2, 0.4], unknown=[0.3, 0.5])
    assert abs(found["auroc"] - 5 / 6) < 1e-12
    assert found["fpr95"] == 0.5
    ```

    References:
        Hendrycks and Gimpel, A Baseline for Detecting Misclassified and
        Out-of-Distribution Examples in Neural Networks, 2017, Section 2; Liang, Li and
        Srikant, Enhancing the Reliability of Out-of-distribution Image Detection in
        Neural Networks, 2018, Section 4.2 (FPR at 95 % TPR).
    """
    require(is_number(tpr) and 0 < tpr <= 1, "`tpr` must be in (0, 1].", tpr=tpr)
    require_choice("positive", positive, ("in", "out"))
    known, unknown = require_scores("known", known), require_scores("unknown", unknown)
    once = np.ones((1, len(known))), np.ones((1, len(unknown)))
    values = Detection(known, unknown, tpr, positive)(*once)[0]
    return dict(zip(NAMES, map(float, values), strict=True))


def require_scores(name: str, scores: npt.ArrayLike) -> np.ndarray:
    """Scores `(n,)` in float64; an error if they are not numbers."""
    scores = np.asarray(scores)
    require(
        scores.ndim == 1 and scores.size > 0 and scores.dtype.kind in "fiub",
        f"`{name}` must be real numbers of shape (n,) and not be empty.",
        dtype=str(scores.dtype),
        shape=scores.shape,
    )
    scores = scores.astype("float64")
    require(
        not np.isnan(scores).any(), f"`{name}` must not be NaN.", shape=scores.shape
    )
    return scores


class Detection:
    """Sorts scores once, and evaluates them for any counts of the images.

    Args:
        known: Array `(n,)`.
        unknown: Array `(m,)`.
        tpr: Float. Defaults to `0.95`.
        positive: `"in"` or `"out"`. Defaults to `"in"`.
    """

    def __init__(
        self,
        known: np.ndarray,
        unknown: np.ndarray,
        tpr: float = 0.95,
        positive: str = "in",
    ):
        self.tpr, self.positive = tpr, positive
        self.orders = (
            np.argsort(known, kind="stable"),
            np.argsort(unknown, kind="stable"),
        )
        (ins, self.first_in), (outs, self.first_out) = (
            np.unique(scores, return_index=True)
            for scores in (known[self.orders[0]], unknown[self.orders[1]])
        )
        # The number of groups of equal scores of the other kind that are lower, or not
        # higher.
        self.out_to = np.searchsorted(outs, ins, side="right")
        self.in_below = np.searchsorted(ins, outs, side="left")
        self.in_to = np.searchsorted(ins, outs, side="right")

    def __call__(self, known: np.ndarray, unknown: np.ndarray) -> np.ndarray:
        """The numbers `(R, 4)` for counts `(R, n)` and `(R, m)` of the images."""
        ins = self._groups(known, 0, self.first_in)
        outs = self._groups(unknown, 1, self.first_out)
        # From the lowest score, that of an image most like the distribution.
        in_sums, out_sums = _from_zero(ins), _from_zero(outs)
        n, m = in_sums[:, -1:], out_sums[:, -1:]
        in_below = np.take(in_sums, self.in_below, axis=1)
        lower = in_below + np.take(in_sums, self.in_to, axis=1)
        auroc = _sums(outs, lower) / (2 * n * m)[:, 0]
        accepted, wrongly = in_sums[:, 1:], np.take(out_sums, self.out_to, axis=1)
        # From the highest score.
        found, falsely = m - out_sums[:, :-1], n - in_below
        values = [
            auroc,
            _average_precision(ins, accepted, wrongly),
            _average_precision(outs, found, falsely),
        ]
        if self.positive == "in":
            place = np.argmax(accepted / n >= self.tpr, axis=1)
            rate = np.take_along_axis(wrongly, place[:, None], axis=1) / m
        else:
            enough = found / m >= self.tpr
            place = enough.shape[1] - 1 - np.argmax(enough[:, ::-1], axis=1)
            rate = np.take_along_axis(falsely, place[:, None], axis=1) / n
        return np.stack([*values, rate[:, 0]], axis=1)

    def _groups(self, counts, kind, firsts):
        ordered = np.take(counts, self.orders[kind], axis=1).astype("float64")
        return sums_of_groups(ordered, firsts)


def _from_zero(values):
    sums = np.zeros((len(values), values.shape[1] + 1))
    np.cumsum(values, axis=1, out=sums[:, 1:])
    return sums


def _sums(first, second):
    return np.einsum("rg,rg->r", first, second)


def _average_precision(weights, positives, negatives):
    """Mean precision over the positive images, from groups of equal scores."""
    chosen = positives + negatives
    # A group without weight before all others selects no images.
    np.maximum(chosen, 1, out=chosen)
    np.divide(positives, chosen, out=chosen)
    return _sums(weights, chosen) / weights.sum(axis=1)
