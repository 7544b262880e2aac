import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.metrics._predictions import (
    averaged,
    chunk_of,
    over_chunks,
    require_predictions,
)
from keras_mixvit.metrics._temperature import temperature_of


def calibrated_nll(
    logits: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0
) -> float:
    """NLL after temperature scaling, each half calibrated on the other.

    The samples are split in two at random. The temperature that is best for
    one half is applied to the other, both ways, and the mean of the two NLL
    is returned. A half in which the true class is always on top knows no
    temperature (`fit_temperature` gives 0) and leaves the other as it is; an
    infinite temperature makes all classes equal.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose M subnetworks are
            averaged before the temperature is fitted.
        labels: Integer array `(n,)` of at least two samples.
        seed: Non-negative integer, the seed of the split. Defaults to `0`.

    Returns:
        Float, infinity where a true class has probability 0.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=1000)
    logits = 9 * (np.eye(10)[labels] + rng.normal(size=(1000, 10)))
    assert calibrated_nll(logits, labels) < nll(logits, labels)
    ```

    References:
        MixMo, Section 4.1 (NLL_c); Ashukha et al., Pitfalls of In-Domain
        Uncertainty Estimation and Ensembling in Deep Learning, 2020.
    """
    return calibrated(logits, labels, seed)[0]


def calibrated(
    logits: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0
) -> tuple[float, list[float]]:
    """NLL_c, and the temperatures applied to the two halves.

    Args:
        logits: Array-like `(n, K)` or `(n, M, K)`.
        labels: Integer array-like `(n,)`.
        seed: Non-negative integer. Defaults to `0`.

    Returns:
        As `calibrated_nll`, and a list of two floats.
    """
    logits, labels = require_predictions(logits, labels)
    require_positive_integer("seed", seed, minimum=0)
    require(
        len(logits) > 1,
        "`logits` must be of at least two samples.",
        samples=len(logits),
    )
    logits = averaged(logits)
    order = np.random.default_rng(seed).permutation(len(logits))
    middle = len(order) // 2
    halves = [np.sort(order[:middle]), np.sort(order[middle:])]
    first = temperature_of(logits, labels, halves[0])
    second = temperature_of(logits, labels, halves[1], start=first)
    # A temperature of 0 would make one error infinitely dear.
    applied = [second or 1.0, first or 1.0]
    values = [
        nll_at(logits, labels, half, temperature)
        for half, temperature in zip(halves, applied, strict=True)
    ]
    return float(np.mean(values)), applied


def nll_at(logits, labels, index, temperature: float) -> float:
    """NLL of some samples at a temperature."""

    def nll_of(chunk):
        values, top = chunk_of(logits, chunk)
        with np.errstate(over="ignore", invalid="ignore"):
            values -= top
            impossible = np.isneginf(values)
            values /= temperature
        values[impossible] = -np.inf
        of_true = values[np.arange(len(values)), labels[chunk]]
        return (np.log(np.exp(values).sum(axis=1)) - of_true).sum()

    return float(sum(over_chunks(nll_of, logits, index)) / len(index))
