"""Shared code for whole sets of predictions: checks, chunks, scores."""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require

# A chunk in float64 takes a megabyte: large sets need little memory, and results of a
# chunk stay in the processor's cache.
NUMBERS = 2**17


class SampleScores(NamedTuple):
    """The scores of n predictions, arrays `(n,)`.

    Fields:
        rank: Number of classes ranked before the true one.
        nll: Negative log-likelihood of the true class.
        brier: Squared distance of the probabilities to the one-hot label.
        confidence: Highest probability.
    """

    rank: np.ndarray
    nll: np.ndarray
    brier: np.ndarray
    confidence: np.ndarray

    @property
    def right(self) -> np.ndarray:
        """Whether the prediction is the true class, `(n,)`."""
        return self.rank == 0


def require_predictions(
    logits: npt.ArrayLike, labels: npt.ArrayLike
) -> tuple[np.ndarray, np.ndarray]:
    """Logits and labels as arrays; an error if they do not fit together.

    Args:
        logits: Array-like `(n, K)`, or `(n, M, K)` of M subnetworks.
        labels: Integer array-like `(n,)`.

    Returns:
        Logits, not copied, and labels.
    """
    logits = require_logits(logits, (2, 3))
    labels = np.asarray(labels)
    require(
        labels.dtype.kind in "iu" and labels.shape == logits.shape[:1],
        "`labels` must be one integer for each prediction.",
        dtype=str(labels.dtype),
        labels=labels.shape,
        logits=logits.shape,
    )
    low, high, classes = int(labels.min()), int(labels.max()), logits.shape[-1]
    require(
        low >= 0 and high < classes,
        f"`labels` must be in 0 to {classes - 1}.",
        range=(low, high),
    )
    return logits, labels


def require_logits(logits: npt.ArrayLike, ranks: tuple[int, ...]) -> np.ndarray:
    """Logits as an array, rarely copied; an error for another rank."""
    logits = np.asarray(logits)
    if logits.dtype.name == "bfloat16":
        logits = logits.astype("float32")
    forms = {2: "(n, K)", 3: "(n, M, K)"}
    require(
        logits.ndim in ranks and logits.size > 0,
        f"`logits` must have shape {' or '.join(forms[rank] for rank in ranks)} and "
        "not be empty.",
        shape=logits.shape,
    )
    require(
        logits.dtype.kind in "fiu",
        "`logits` must be real numbers.",
        dtype=str(logits.dtype),
    )
    return logits


def require_subnetworks(logits: npt.ArrayLike) -> np.ndarray:
    """Logits `(n, M, K)` as an array; an error with fewer than two subnetworks."""
    logits = require_logits(logits, (3,))
    require(
        logits.shape[1] > 1,
        "`logits` must have at least two subnetworks.",
        shape=logits.shape,
    )
    return logits


def over_chunks(function: Callable, logits: np.ndarray, index=None) -> list:
    """Calls a function on chunks of all samples, on all cores of the machine.

    Args:
        function: Called with a slice or an index array of samples.
        logits: Array whose first axis is the samples.
        index: Integer array, the samples to use, or `None` for all. Defaults to `None`.

    Returns:
        List of the results, in the order of the samples.
    """
    step = max(1, NUMBERS // logits[0].size)
    chunks = [
        slice(start, start + step)
        for start in range(0, len(logits if index is None else index), step)
    ]
    if index is not None:
        chunks = [index[chunk] for chunk in chunks]
    # NumPy releases the interpreter's lock.
    with ThreadPoolExecutor(min(len(chunks), os.cpu_count() or 1)) as pool:
        return list(pool.map(function, chunks))


def chunk_of(logits: np.ndarray, chunk) -> tuple[np.ndarray, np.ndarray]:
    """Logits of a chunk in float64, their mean over subnetworks, and the highest.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        chunk: Slice or index array of samples.

    Returns:
        Array `(c, K)` that you may overwrite, and the highest logits `(c, 1)`.

    Raises:
        ValueError: If a prediction is NaN or infinite, or gives every class probability
            0.
    """
    values = np.array(logits[chunk], dtype="float64")
    if values.ndim == 3:
        # Opposite infinities give NaN, which raises an error below.
        with np.errstate(invalid="ignore"):
            values = values.mean(axis=1)
    return values, highest(values)


def averaged(logits: np.ndarray) -> np.ndarray:
    """Mean over the subnetworks `(n, K)`, in float32 or a more exact dtype.

    Functions that read all samples several times average them once.
    """
    if logits.ndim == 2:
        return logits
    dtype = np.promote_types("float32", logits.dtype)
    means = np.empty((len(logits), logits.shape[-1]), dtype)

    def average(chunk):
        means[chunk] = chunk_of(logits, chunk)[0]

    over_chunks(average, logits)
    return means


def likeliest(logits: np.ndarray) -> np.ndarray:
    """The class `(n,)` that the mean of the subnetworks predicts."""

    def of_chunk(chunk):
        return chunk_of(logits, chunk)[0].argmax(axis=1)

    return np.concatenate(over_chunks(of_chunk, logits))


def highest(values: np.ndarray) -> np.ndarray:
    """The highest logits `(..., 1)`; an error if they are not numbers."""
    top = values.max(axis=-1, keepdims=True)
    require(
        np.isfinite(top).all(),
        "`logits` must not be NaN or infinite; minus infinity is probability 0, "
        "which at least one class must not have.",
        highest=sorted({str(x) for x in top[~np.isfinite(top)]}),
    )
    return top


def sample_scores(logits: npt.ArrayLike, labels: npt.ArrayLike) -> SampleScores:
    """Scores of each prediction, all in one pass.

    Args:
        logits: Array-like `(n, K)`, or `(n, M, K)`, whose mean over M is scored.
        labels: Integer array-like `(n,)`.

    Returns:
        `SampleScores`, float64. If logits are equal, the first class is the prediction.

    Raises:
        ValueError: If logits and labels do not fit, or logits are not numbers.
    """
    logits, labels = require_predictions(logits, labels)

    def scores_of(chunk):
        values, top = chunk_of(logits, chunk)
        true = labels[chunk][:, None]
        of_true = np.take_along_axis(values, true, axis=1)
        rank = np.count_nonzero(values > of_true, axis=1)
        tied = values == of_true
        shared = np.flatnonzero(np.count_nonzero(tied, axis=1) > 1)
        before = np.arange(values.shape[1]) < true[shared]
        rank[shared] += np.count_nonzero(tied[shared] & before, axis=1)
        with np.errstate(over="ignore"):
            values -= top
            of_true = (of_true - top)[:, 0]
        powers = np.exp(values, out=values)
        total = powers.sum(axis=1)
        squares = np.einsum("nk,nk->n", powers, powers) / total**2
        brier = squares - 2 * np.exp(of_true) / total + 1
        nll = np.maximum(np.log(total) - of_true, 0.0)
        return rank, nll, np.maximum(brier, 0.0), 1 / total

    parts = over_chunks(scores_of, logits)
    return SampleScores(*map(np.concatenate, zip(*parts, strict=True)))
