"""Resamples of test images, and percentiles of the results."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from keras_mixvit._checks import is_number, require, require_positive_integer

# The number of counts to process at once, which fit into the processor's cache.
NUMBERS = 2**16


class Resamples:
    """How often each of n images is drawn, with replacement, in each resample.

    Args:
        samples: Positive integer n.
        replicates: Positive integer R, the number of resamples.
        seed: Non-negative integer, or a list of integers.
        level: Float in (0, 1), the share of resamples within an interval. Defaults
            to `0.95`.
    """

    def __init__(
        self, samples: int, replicates: int, seed: int | list, level: float = 0.95
    ):
        require_positive_integer("replicates", replicates)
        require(
            is_number(level) and 0 < level < 1,
            "`level` must be in (0, 1).",
            level=level,
        )
        self.level, self.seed = level, seed
        # A count above 255 has almost no chance with many images, and is impossible
        # with few.
        self.counts = np.empty((replicates, samples), "uint8")
        seeds = np.random.SeedSequence(seed).spawn(replicates)

        def draw(r):
            drawn = np.random.default_rng(seeds[r]).integers(samples, size=samples)
            self.counts[r] = np.bincount(drawn, minlength=samples)

        _in_threads(draw, range(replicates))

    def values(self, function: Callable, *others: "Resamples") -> np.ndarray:
        """The results of a function on all resamples, which are the first axis.

        Args:
            function: Called with the counts `(r, n)` of some resamples, and with those
                of `others`.
            *others: `Resamples` of other images.
        """
        every = [self.counts, *(other.counts for other in others)]
        step = max(1, NUMBERS // max(counts.shape[1] for counts in every))

        def values_of(start):
            return function(*(counts[start : start + step] for counts in every))

        starts = range(0, len(self.counts), step)
        return np.concatenate(_in_threads(values_of, starts))

    def interval(self, values: np.ndarray) -> np.ndarray:
        """Lower and upper percentiles `(2, ...)` of values `(R, ...)`.

        They are the values of the nearest resamples, so infinity stays infinity.
        Resamples with an undefined value, NaN, are left out.
        """
        ordered = np.sort(values, axis=0)
        defined = np.count_nonzero(~np.isnan(ordered), axis=0)
        tails = np.array([(1 - self.level) / 2, (1 + self.level) / 2])
        places = np.rint(np.multiply.outer(tails, np.maximum(defined - 1, 0)))
        return np.take_along_axis(ordered, places.astype("int64"), axis=0)


def _in_threads(function, items):
    # NumPy computes outside the interpreter's lock.
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        return list(pool.map(function, items))


def sums_of_groups(values: np.ndarray, firsts: np.ndarray) -> np.ndarray:
    """Sums `(R, g)` over groups of neighbours of values `(R, n)`.

    Args:
        values: Array `(R, n)`.
        firsts: Integer array `(g,)`, where each group starts.
    """
    if len(firsts) == values.shape[1]:
        return values
    return np.add.reduceat(values, firsts, axis=1)


def weighted_sums(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums `(R, s)` of values `(n, s)`, quickest if each column is contiguous.

    It is called from several threads at once. BLAS would start its own threads in each
    of them, which wait for each other whenever another process has a core.

    Args:
        weights: Array `(R, n)`.
        values: Array `(n, s)`.
    """
    return np.stack(
        [np.einsum("rn,n->r", weights, column) for column in values.T], axis=1
    )


def weighted_means(weights: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means `(R, s)` of values `(n, s)`, which may be infinite; NaN without weight.

    Args:
        weights: Array `(R, n)`.
        values: Array `(n, s)`.
    """
    infinite = np.isinf(values)
    if infinite.any():
        means = weighted_means(weights, np.where(infinite, 0.0, values))
        return np.where(weighted_sums(weights, infinite) > 0, np.inf, means)
    totals = weights.sum(axis=1, keepdims=True)
    means = np.full((len(weights), values.shape[1]), np.nan)
    sums = weighted_sums(weights, values)
    return np.divide(sums, totals, out=means, where=totals > 0)
