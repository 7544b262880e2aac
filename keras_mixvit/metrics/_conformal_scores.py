"""How unlike the true class each class is, from which prediction sets are made."""

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
        """Scores `(c, K)` of probabilities that fall from left to right."""
        if self.is_lac:
            return 1 - shares
        scores = np.cumsum(shares, axis=1)
        # The mass before each class, and a share of its own.
        scores -= (1 - draws)[:, None] * shares
        if self.penalty:
            ranks = np.arange(1, shares.shape[1] + 1)
            scores += self.penalty * np.maximum(ranks - self.free_rank, 0)
        # Rounding must not make a likelier class worse.
        return np.maximum.accumulate(scores, axis=1, out=scores)

    def of_true(self, logits, labels, draws) -> np.ndarray:
        """The score `(n,)` of the true class of each sample."""

        def of_chunk(chunk):
            shares, ascending = shares_of(logits, chunk)
            scores = self.of_ranks(ascending[:, ::-1], draws[chunk])
            ranks = ranks_of(shares, labels[chunk])
            return np.take_along_axis(scores, ranks[:, None], axis=1)[:, 0]

        return np.concatenate(over_chunks(of_chunk, logits))

    def sizes(self, logits, draws, threshold: float, labels=None):
        """Size `(n,)` of each set, and whether it holds the true class.

        Without labels a Boolean array `(n, K)` takes the place of the latter.
        """
        if labels is None:
            sets = np.empty((len(logits), logits.shape[-1]), bool)

        def of_chunk(chunk):
            shares, ascending = shares_of(logits, chunk)
            scores = self.of_ranks(ascending[:, ::-1], draws[chunk])
            sizes = np.count_nonzero(scores <= threshold, axis=1)
            if labels is not None:
                return sizes, ranks_of(shares, labels[chunk]) < sizes
            sets[chunk] = _likeliest(shares, ascending, sizes)
            return sizes, sizes

        sizes, hits = zip(*over_chunks(of_chunk, logits), strict=True)
        return np.concatenate(sizes), sets if labels is None else np.concatenate(hits)


def shares_of(logits, chunk) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities `(c, K)` of a chunk, and the same in ascending order."""
    values, top = chunk_of(logits, chunk)
    with np.errstate(over="ignore"):
        values -= top
    powers = np.exp(values, out=values)
    powers /= powers.sum(axis=1, keepdims=True)
    return powers, np.sort(powers, axis=1)


def ranks_of(shares: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """How many classes stand before the labelled ones; of equals the first."""
    labels = labels[:, None]
    of_true = np.take_along_axis(shares, labels, axis=1)
    before = np.arange(shares.shape[1]) < labels
    return np.count_nonzero(
        (shares > of_true) | ((shares == of_true) & before), axis=1
    )


def _likeliest(shares, ascending, sizes):
    """Boolean `(c, K)`, the likeliest classes, so many of each sample."""
    last = np.maximum(sizes, 1)[:, None]
    least = np.take_along_axis(ascending, shares.shape[1] - last, axis=1)
    chosen = (shares >= least) & (sizes > 0)[:, None]
    # Of equal probabilities the first classes are taken.
    for row in np.flatnonzero(np.count_nonzero(chosen, axis=1) != sizes):
        order = np.argsort(-shares[row], kind="stable")
        chosen[row] = False
        chosen[row, order[: sizes[row]]] = True
    return chosen
