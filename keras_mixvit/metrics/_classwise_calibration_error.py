import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.metrics._calibration_error import bin_edges
from keras_mixvit.metrics._predictions import (
    chunk_of,
    over_chunks,
    require_predictions,
)

# The number of chunks in one matrix product. The threads of BLAS wait for each other at
# the end of each, so a few large products are quicker.
CHUNKS = 16


def classwise_calibration_error(
    logits: npt.ArrayLike, labels: npt.ArrayLike, bins: int = 15
) -> float:
    """Calibration error of the probabilities of all classes, not only of the highest.

    For each class, it sorts the probabilities of all samples into bins (low, high] of
    equal length. With the mean probability p_bk and the share y_bk of labels of class k
    in bin b, the error is

        (1 / K) sum_k sum_b (n_bk / n) |p_bk - y_bk|

    It is a mean over classes, so it is small if there are many: most of their
    probabilities are near 0, and rightly so. Compare it at equal K only.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is scored.
        labels: Integer array `(n,)`.
        bins: Positive integer, the number of bins. Defaults to `15`.

    Returns:
        Float in [0, 1].

    Raises:
        ValueError: If logits are NaN, logits and labels do not fit, or `bins` is not
            positive.

    Example:

    ```python
    logits = np.log([[0.9, 0.1]] * 4)
    error = classwise_calibration_error(logits, [0, 0, 0, 1])
    assert abs(error - 0.15) < 1e-12
    ```

    References:
        Kull et al., Beyond Temperature Scaling: Obtaining Well-Calibrated Multi-class
        Probabilities with Dirichlet Calibration, 2019, Eq. 3 (classwise-ECE);
        Nixon et al., Measuring Calibration in Deep Learning, 2019 (SCE).
    """
    logits, labels = require_predictions(logits, labels)
    require_positive_integer("bins", bins)
    return ClasswiseGaps(logits, labels, bins).error()


class ClasswiseGaps:
    """The gaps between probabilities and labels, of every class in every bin.

    A prediction has fewer than `bins` probabilities above the first bin, so these are
    stored one by one; only the first bin is dense.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        labels: Integer array `(n,)`.
        bins: Positive integer, the number of bins.
        is_kept: Boolean, whether to keep the gaps in the first bin, in float32, for
            `errors`. Defaults to `False`.
    """

    def __init__(
        self, logits: np.ndarray, labels: np.ndarray, bins: int, is_kept: bool = False
    ):
        self.logits, self.labels, self.is_kept = logits, labels, is_kept
        self.classes, self.edges = logits.shape[-1], bin_edges(bins)
        self.cells = bins * self.classes
        low, *listed, self.kept = zip(*over_chunks(self._parts, logits), strict=True)
        self.low = np.sum(low, axis=0)
        self.rows, self.places, self.gaps = map(np.concatenate, listed)

    def error(self) -> float:
        """The calibration error."""
        return self._mean(self.low, self.gaps)

    def errors(self, counts: np.ndarray) -> np.ndarray:
        """The calibration errors `(R,)` for counts `(R, n)` of each sample."""
        low, start = np.zeros((len(counts), self.classes)), 0
        for first in range(0, len(self.kept), CHUNKS):
            gaps = np.concatenate(self.kept[first : first + CHUNKS])
            # Counts of samples are exact in float32.
            chunk = counts[:, start : start + len(gaps)].astype("float32")
            low += chunk @ gaps
            start += len(gaps)
        rows = zip(counts, low, strict=True)
        return np.array([self._mean(x, row[self.rows] * self.gaps) for row, x in rows])

    def _mean(self, low, listed):
        """The mean over classes of the distances in the first bin and in the others."""
        gaps = np.bincount(self.places, listed, minlength=self.cells).astype("float64")
        gaps[: self.classes] += low
        return float(np.abs(gaps).sum() / (len(self.logits) * self.classes))

    def _parts(self, chunk):
        """Sums in the first bin; rows, cells and gaps above it; gaps in the first."""
        values, top = chunk_of(self.logits, chunk)
        with np.errstate(over="ignore"):
            values -= top
        shares = np.exp(values, out=values)
        shares /= shares.sum(axis=1, keepdims=True)
        rows, labels = np.arange(len(shares)), self.labels[chunk]
        edge = self.edges[0] if len(self.edges) else 1.0
        is_low = shares[rows, labels] <= edge
        row, column = np.nonzero(shares > edge)
        above = shares[row, column]
        shares[row, column] = 0
        shares[rows[is_low], labels[is_low]] -= 1
        cells = np.searchsorted(self.edges, above, side="left") * self.classes + column
        above -= column == labels[row]
        kept = shares.astype("float32") if self.is_kept else None
        return shares.sum(axis=0), chunk.start + row, cells, above, kept
