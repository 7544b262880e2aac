from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_choice, require_positive_integer
from keras_mixvit.metrics._predictions import (
    averaged,
    chunk_of,
    highest,
    over_chunks,
    require_predictions,
    require_subnetworks,
)
from keras_mixvit.metrics._subnetwork_temperatures import MEANS, temperatures_of
from keras_mixvit.metrics._temperature import temperature_of
from keras_mixvit.metrics._vector_scaling import scaling_of

METHODS = ("temperature", "vector", "subnetworks")


def calibrated_nll(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    seed: int = 0,
    method: str = "temperature",
    ensemble_of: str = "logits",
) -> float:
    """NLL after calibration, with each half of the samples calibrated on the other.

    It splits the samples in two at random, fits the calibration on one half and applies
    it to the other, both ways. The result is the mean of the two NLLs, so methods with
    more parameters have no advantage.

    | method | what is fitted |
    |---|---|
    | `"temperature"` | one temperature, of the mean of the subnetworks |
    | `"vector"` | a factor and an offset per class, `fit_vector_scaling` |
    | `"subnetworks"` | one temperature per subnetwork, `fit_subnetwork_temperatures` |

    If all predictions of a half are right, it has no temperature (`fit_temperature`
    returns 0), and the other half is not calibrated. An infinite temperature makes all
    classes equal.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose M subnetworks are averaged
            before the calibration, except for `"subnetworks"`.
        labels: Integer array `(n,)` of at least two samples.
        seed: Non-negative integer, the seed of the split. Defaults to `0`.
        method: `"temperature"`, `"vector"` or `"subnetworks"`. Defaults to
            `"temperature"`.
        ensemble_of: `"logits"` or `"probabilities"`, what `"subnetworks"` averages.
            Defaults to `"logits"`.

    Returns:
        Float in nats; infinity if a true class has probability 0.

    Raises:
        ValueError: If logits are NaN, logits and labels do not fit, or an option is
            unknown.

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
    return calibrated_parts(logits, labels, seed, method, ensemble_of).nll


class CalibratedParts(NamedTuple):
    """The calibrated NLL of each sample.

    Fields:
        values: NLL `(n,)` of each sample, calibrated on the other half.
        halves: The indices of the two halves.
        fitted: The calibrations applied to the two halves.
        temperatures: The best temperatures of the two halves.
    """

    values: np.ndarray
    halves: list[np.ndarray]
    fitted: list
    temperatures: list[float]

    @property
    def nll(self) -> float:
        """The mean of the NLL of the two halves."""
        return float(np.mean([self.values[half].mean() for half in self.halves]))


def calibrated(
    logits: npt.ArrayLike, labels: npt.ArrayLike, seed: int = 0
) -> tuple[float, list[float]]:
    """NLL_c, and the temperatures applied to the two halves.

    Args:
        logits: Array-like `(n, K)` or `(n, M, K)`.
        labels: Integer array-like `(n,)`.
        seed: Non-negative integer. Defaults to `0`.

    Returns:
        The result of `calibrated_nll`, and a list of two floats.
    """
    found = calibrated_parts(logits, labels, seed)
    return found.nll, found.fitted


def calibrated_parts(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    seed: int = 0,
    method: str = "temperature",
    ensemble_of: str = "logits",
    temperatures: list[float] | None = None,
) -> CalibratedParts:
    """The NLL of each sample, calibrated on the half without it.

    Args:
        logits: Array-like `(n, K)` or `(n, M, K)`.
        labels: Integer array-like `(n,)`.
        seed: Non-negative integer. Defaults to `0`.
        method: String. Defaults to `"temperature"`.
        ensemble_of: String. Defaults to `"logits"`.
        temperatures: List of the temperatures of the two halves, or `None` to fit them.
            Defaults to `None`.
    """
    require_choice("method", method, METHODS)
    require_choice("ensemble_of", ensemble_of, MEANS)
    if method == "subnetworks":
        logits = require_subnetworks(logits)
    logits, labels = require_predictions(logits, labels)
    require_positive_integer("seed", seed, minimum=0)
    require(
        len(logits) > 1,
        "`logits` must have at least two samples.",
        samples=len(logits),
    )
    needs_mean = temperatures is None or method != "subnetworks"
    mean = averaged(logits) if needs_mean else logits
    order = np.random.default_rng(seed).permutation(len(logits))
    middle = len(order) // 2
    halves = [np.sort(order[:middle]), np.sort(order[middle:])]
    if temperatures is None:
        first = temperature_of(mean, labels, halves[0])
        temperatures = [first, temperature_of(mean, labels, halves[1], start=first)]
    values = np.empty(len(logits))
    if method == "temperature":
        # With a temperature of 0, one error would cost infinity.
        fitted: list = [temperature or 1.0 for temperature in reversed(temperatures)]
        for half, temperature in zip(halves, fitted, strict=True):
            values[half] = nll_at(mean, labels, half, temperature)
    elif method == "vector":
        fitted = [
            scaling_of(mean, labels, half, 1.0, temperature)
            for half, temperature in zip(halves, temperatures, strict=True)
        ][::-1]
        for half, scaling in zip(halves, fitted, strict=True):
            values[half] = nll_of_scaled(mean, labels, half, *scaling)
    else:
        fitted = [
            temperatures_of(logits, labels, half, ensemble_of, 1.0, common or 1.0)
            for half, common in zip(halves, temperatures, strict=True)
        ][::-1]
        for half, each in zip(halves, fitted, strict=True):
            values[half] = nll_of_mean(logits, labels, half, each, ensemble_of)
    return CalibratedParts(values, halves, fitted, temperatures)


def nll_at(logits, labels, index, temperature: float) -> np.ndarray:
    """NLL `(c,)` of some samples at a temperature."""

    def nll_of(chunk):
        values, top = chunk_of(logits, chunk)
        with np.errstate(over="ignore", invalid="ignore"):
            values -= top
            impossible = np.isneginf(values)
            values /= temperature
        values[impossible] = -np.inf
        return _nll_of(values, labels[chunk])

    return np.concatenate(over_chunks(nll_of, logits, index))


def nll_of_scaled(logits, labels, index, factors, offsets) -> np.ndarray:
    """NLL `(c,)` of some samples after vector scaling."""

    def nll_of(chunk):
        values = factors * chunk_of(logits, chunk)[0] + offsets
        return _nll_of(values - highest(values), labels[chunk])

    return np.concatenate(over_chunks(nll_of, logits, index))


def nll_of_mean(logits, labels, index, temperatures, ensemble_of) -> np.ndarray:
    """NLL `(c,)` of the mean of subnetworks, each with its own temperature."""

    def nll_of(chunk):
        values = np.array(logits[chunk], "float64")
        values = (values - highest(values)) / temperatures[:, None]
        if ensemble_of == "logits":
            mean = values.mean(axis=1)
            return _nll_of(mean - highest(mean), labels[chunk])
        shares = np.exp(values)
        shares /= shares.sum(axis=2, keepdims=True)
        rows = np.arange(len(values))
        with np.errstate(divide="ignore"):
            return -np.log(shares.mean(axis=1)[rows, labels[chunk]])

    return np.concatenate(over_chunks(nll_of, logits, index))


def _nll_of(values, labels):
    """NLL `(c,)` of logits whose highest is 0."""
    of_true = values[np.arange(len(values)), labels]
    return np.log(np.exp(values).sum(axis=1)) - of_true
