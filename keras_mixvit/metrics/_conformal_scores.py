"""The scores of classes that decide which classes a prediction set holds."""

import numpy as np

from keras_mixvit.metrics._predictions import chunk_of, over_chunks

METHODS = ("lac", "aps", "raps")


class Conformity:
    """The scores of one method.

    Args:
        method: `"lac"`, `"aps"` or `"raps"`.
        penalty: Float, lambda of RAPS.
        free_rank: Integer, k_reg of RAPS.
    """

    def __init__(self, method: str, penalty: float, free_rank: int):
        self.is_lac = method == "lac"
        self.penalty = penalty if method == "raps" else 0.0
        self.free_rank = free_rank

    def of_ranks(self, shares: np.ndarray, draws: np.ndarray) -> np.ndarray:
        """Scores `(c, K)` of probabilities in descending order."""
        if self.is_lac:
            return 1 - shares
        scores = np.cumsum(shares, axis=1)
        # The mass before each class, and a share of the class itself.
        scores -= (1 - draws)[:, None] * shares
        if self.penalty:
            ranks = np.arange(1, shares.shape[1] + 1)
            scores += self.penalty * np.maximum(ranks - self.free_rank, 0)
        # Rounding could make a likelier class worse.
        return np.maximum.accumulate(scores, axis=1, out=scores)


def true_scores(logits, labels, methods: list, draws: list) -> list[np.ndarray]:
    """The scores `(n,)` of the true class of each sample, for several methods.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        labels: Integer array `(n,)`.
        methods: List of `Conformity`.
        draws: List of arrays `(n,)`, u for each method.
    """

    def of_chunk(chunk):
        shares, ascending = shares_of(logits, chunk)
        ranks = ranks_of(shares, labels[chunk])[:, None]
        return [
            np.take_along_axis(method.of_ranks(ascending[:, ::-1], u[chunk]), ranks, 1)
            for method, u in zip(methods, draws, strict=True)
        ]

    parts = zip(*over_chunks(of_chunk, logits), strict=True)
    return [np.concatenate(part)[:, 0] for part in parts]


def sizes_and_hits(
    logits, labels, methods: list, draws: list, thresholds: list
) -> list:
    """Sizes `(n,)` of the sets of each method, and whether they hold the true class.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        labels: Integer array `(n,)`.
        methods: List of `Conformity`.
        draws: List of arrays `(n,)`, u for each method.
        thresholds: List of floats.
    """

    def of_chunk(chunk):
        shares, ascending = shares_of(logits, chunk)
        ranks = ranks_of(shares, labels[chunk])
        found = []
        for method, u, threshold in zip(methods, draws, thresholds, strict=True):
            scores = method.of_ranks(ascending[:, ::-1], u[chunk])
            sizes = np.count_nonzero(scores <= threshold, axis=1)
            found += [sizes, ranks < sizes]
        return found

    parts = zip(*over_chunks(of_chunk, logits), strict=True)
    columns = [np.concatenate(part) for part in parts]
    return list(zip(columns[::2], columns[1::2], strict=True))


def sets_of(logits, method: Conformity, draws, threshold: float) -> np.ndarray:
    """The sets of one method, Boolean `(n, K)`.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        method: `Conformity`.
        draws: Array `(n,)`.
        threshold: Float.
    """
    sets = np.empty((len(logits), logits.shape[-1]), bool)

    def of_chunk(chunk):
        shares, ascending = shares_of(logits, chunk)
        scores = method.of_ranks(ascending[:, ::-1], draws[chunk])
        sizes = np.count_nonzero(scores <= threshold, axis=1)
        sets[chunk] = _likeliest(shares, ascending, sizes)

    over_chunks(of_chunk, logits)
    return sets


def shares_of(logits, chunk) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(c, K)` of a chunk, and the same in ascending order."""
    values, top = chunk_of(logits, chunk)
    with np.errstate(over="ignore"):
        values -= top
    powers = np.exp(values, out=values)
    powers /= powers.sum(axis=1, keepdims=True)
    return powers, np.sort(powers, axis=1)


def ranks_of(shares: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes come before the labelled ones; ties go to the first class."""
    labels = labels[:, None]
    of_true = np.take_along_axis(shares, labels, axis=1)
    before = np.arange(shares.shape[1]) < labels
    return np.count_nonzero((shares > of_true) | ((shares == of_true) & before), axis=1)


def _likeliest(shares, ascending, sizes):
    """Boolean `(c, K)`, the `sizes` likeliest classes of each sample."""
    last = np.maximum(sizes, 1)[:, None]
    least = np.take_along_axis(ascending, shares.shape[1] - last, axis=1)
    chosen = (shares >= least) & (sizes > 0)[:, None]
    # Takes the first of classes with equal probabilities.
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) != sizes):
        order = np.argsort(-shares[row], kind="stable")
        chosen[row] = False
        chosen[row, order[: sizes[row]]] = True
    return chosen
