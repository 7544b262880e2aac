"""The scores of a report for counts of each sample, as a bootstrap draws them."""

import numpy as np

from keras_mixvit.metrics._calibration_error import bin_edges
from keras_mixvit.metrics._predictions import SampleScores
from keras_mixvit.metrics._resamples import sums_of_groups, weighted_means

COVERAGE, RISK = 0.8, 0.05


class WeightedScores:
    """Sorts predictions once, and scores them for any counts of each sample.

    With a count of 1 for each sample, all scores equal those of the functions with
    their names. Samples of equal confidence are a group, which shares its errors. In
    order of falling confidence, a group of c samples with e errors comes after C
    samples.

    Args:
        scores: `SampleScores`.
        bins: Positive integer, the number of bins of calibration errors. Defaults to
            `15`.
    """

    NAMES = (
        *("accuracy", "top5", "nll", "brier", "ece", "adaptive_ece", "auroc"),
        *("aurc", "excess_aurc", "risk_at_80", "coverage_at_5"),
    )

    def __init__(self, scores: SampleScores, bins: int = 15):
        n = len(scores.rank)
        self.order = np.argsort(-scores.confidence, kind="stable")
        confidence = scores.confidence[self.order]
        right = scores.right[self.order]
        means = [right, scores.rank[self.order] < 5]
        means += [scores.nll[self.order], scores.brier[self.order]]
        self.means = np.stack(means, dtype="float64").T
        self.gaps = right - confidence
        inner = np.searchsorted(-confidence, -bin_edges(bins)[::-1], side="left")
        self.bounds = np.concatenate([[0], inner, [n]])
        self.edges = n - np.linspace(0, n, bins + 1).round()[::-1].astype("int64")
        is_first = np.append(True, confidence[1:] != confidence[:-1])
        # Borders of the groups: the numbers of samples before them.
        self.borders = np.append(np.flatnonzero(is_first), n)
        group = np.cumsum(is_first) - 1
        # Only groups with errors matter for the order of errors.
        self.wrong = np.flatnonzero(~right)
        self.groups, self.firsts = np.unique(group[self.wrong], return_index=True)
        harmonic = np.append(0, np.cumsum(1 / np.arange(1, n + 1)))
        self.harmonic = harmonic
        self.sums = np.append(0, np.cumsum(harmonic[:-1]))

    def __call__(self, counts: np.ndarray) -> np.ndarray:
        """The scores `(R, s)`, in the order of the names, for counts `(R, n)`."""
        counts = np.take(counts, self.order, axis=1)
        weights = counts.astype("float64")
        before = _from_zero(np.cumsum(counts, axis=1, dtype="int64"))
        gaps = _from_zero(np.cumsum(weights * self.gaps, axis=1))
        ece = np.abs(np.diff(np.take(gaps, self.bounds, axis=1), axis=1)).sum(axis=1)
        columns = [ece / len(self.order), self._adaptive(before, gaps)]
        errors = sums_of_groups(np.take(weights, self.wrong, axis=1), self.firsts)
        starts = np.take(before, self.borders[self.groups], axis=1)
        ends = np.take(before, self.borders[self.groups + 1], axis=1)
        columns += self._selective(errors, starts, ends)
        return np.column_stack([weighted_means(weights, self.means), *columns])

    def _adaptive(self, before, gaps):
        """Calibration error in bins of equal counts; in a group, gaps grow linearly."""
        if len(self.borders) < before.shape[1]:
            before = np.take(before, self.borders, axis=1)
            gaps = np.take(gaps, self.borders, axis=1)
        edges, found = self.edges[self.edges > 0], np.empty(len(before))
        for r, (number, gap) in enumerate(zip(before, gaps, strict=True)):
            # The first edges are 0, and so are their gaps.
            high = np.searchsorted(number, edges)
            low = high - 1
            share = (edges - number[low]) / (number[high] - number[low])
            at_edges = gap[low] + share * (gap[high] - gap[low])
            found[r] = np.abs(np.diff(at_edges, prepend=0)).sum()
        return found / len(self.order)

    def _selective(self, errors, starts, ends):
        """AUROC, AURC, E-AURC, risk at a coverage and coverage at a risk.

        The i-th sample of all is wrong with probability e / c of its group. It counts
        in each risk(j) = errors / j with j >= i, and these weights sum to H(n) - H(i -
        1).
        """
        n, sizes = len(self.order), ends - starts
        share = np.divide(errors, sizes, out=np.zeros_like(errors), where=sizes > 0)
        sums = np.cumsum(errors, axis=1)
        total = sums[:, -1] if sums.shape[1] else np.zeros(len(errors))
        right_before = starts - (sums - errors) + (sizes - errors) / 2
        above, pairs = _sums(errors, right_before), total * (n - total)
        auroc = np.divide(
            above, pairs, out=np.full_like(total, np.nan), where=pairs > 0
        )
        later = sizes * self.harmonic[n] - (self.sums[ends] - self.sums[starts])
        aurc = _sums(share, later) / n
        right = (n - total).astype("int64")
        best = (total - right * (self.harmonic[n] - self.harmonic[right])) / n
        place = np.searchsorted(np.arange(1, n + 1) / n, COVERAGE) + 1
        risk = _sums(share, np.clip(place - starts, 0, sizes)) / place
        # Risk falls between groups with errors, so their starts decide, and the end.
        stops = np.concatenate([starts, np.full((len(starts), 1), n)], axis=1)
        is_low = _from_zero(sums) <= RISK * stops * (1 + 1e-12)
        # Within such a group, a rising risk may cross the bound.
        rises = share > RISK
        passes = np.divide(
            share * starts - (sums - errors),
            share - RISK,
            out=np.zeros_like(share),
            where=rises,
        )
        passes = np.minimum(np.floor(passes + 1e-9), ends)
        passes[~rises | (passes <= starts)] = 0
        last = np.maximum(
            np.where(is_low, stops, 0).max(axis=1), passes.max(axis=1, initial=0)
        )
        return [auroc, aurc, np.maximum(aurc - best, 0.0), risk, last / n]


def _from_zero(sums):
    return np.concatenate([np.zeros((len(sums), 1), sums.dtype), sums], axis=1)


def _sums(first, second):
    return np.einsum("rg,rg->r", first, second)
