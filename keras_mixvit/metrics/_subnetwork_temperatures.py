import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require_choice
from keras_mixvit.metrics._lbfgs import minimise
from keras_mixvit.metrics._predictions import (
    averaged,
    highest,
    over_chunks,
    require_predictions,
    require_subnetworks,
)
from keras_mixvit.metrics._temperature import FLOOR, ROUGH, temperature_of
from keras_mixvit.metrics._vector_scaling import require_penalty

MEANS = ("logits", "probabilities")


def fit_subnetwork_temperatures(
    logits: npt.ArrayLike,
    labels: npt.ArrayLike,
    ensemble_of: str = "logits",
    penalty: float = 1.0,
) -> npt.NDArray[np.float64]:
    """The temperatures of the subnetworks that give their mean the least NLL.

    The logits of each subnetwork are divided by its temperature before they are
    averaged. All temperatures are fitted together, to the mean:

        p = softmax(mean_m z_m / T_m),  or  p = mean_m softmax(z_m / T_m).

    They minimise sum_i NLL_i + (penalty / 2) sum_m log(T_m / T)^2, where T is the
    temperature of `fit_temperature`. The penalty weighs as much as one sample and makes
    sure that a minimum exists. If T is 0 or infinite (T is 0 if all predictions are
    right), each T_m is T.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.
        labels: Integer array `(n,)`.
        ensemble_of: `"logits"` or `"probabilities"`, what is averaged. Defaults to
            `"logits"`.
        penalty: Float of at least 0, the weight of the penalty. Defaults to `1.0`.

    Returns:
        float64 array `(M,)`.

    Raises:
        ValueError: If logits are NaN or have fewer than two subnetworks, logits and
            labels do not fit, or an option is out of range.

    Example:

    ```python
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=1000)
    noise = rng.normal(size=(1000, 2, 10)) * [[0.5], [1.0]]
    logits = 9 * (np.eye(10)[labels][:, None] + noise)
    temperatures = fit_subnetwork_temperatures(logits, labels)
    assert temperatures[0] < temperatures[1]
    ```

    References:
        Rahaman and Thiery, Uncertainty Quantification and Deep Ensembles, 2021,
        Section 3, which compares calibration before and after averaging.
    """
    logits, labels = require_predictions(require_subnetworks(logits), labels)
    require_choice("ensemble_of", ensemble_of, MEANS)
    require_penalty(penalty)
    everything = np.arange(len(logits))
    common = temperature_of(averaged(logits), labels, everything)
    return temperatures_of(logits, labels, everything, ensemble_of, penalty, common)


def temperatures_of(logits, labels, index, ensemble_of, penalty, common) -> np.ndarray:
    """The best temperatures for some samples.

    Args:
        logits: Array `(n, M, K)`.
        labels: Integer array `(n,)`.
        index: Integer array, the samples to fit.
        ensemble_of: String.
        penalty: Float.
        common: Float, the temperature of the mean of the logits.
    """
    members = logits.shape[1]
    if not 0 < common < np.inf:
        return np.full(members, common)
    start = np.zeros(members)
    if len(index) >= 4 * ROUGH:
        rough = index[:: len(index) // ROUGH]
        start = _fitted(logits, labels, rough, ensemble_of, penalty, common, start)
    start = _fitted(logits, labels, index, ensemble_of, penalty, common, start)
    return common * np.exp(-start)


def _fitted(logits, labels, index, ensemble_of, penalty, common, start):
    """log(T / T_m) of each subnetwork."""
    terms = _of_logits if ensemble_of == "logits" else _of_probabilities

    def summed(point, samples, with_spread=False):
        factors = np.exp(point)[:, None] / common

        def parts(chunk):
            values = np.array(logits[chunk], "float64")
            values *= factors
            with np.errstate(over="ignore"):
                values -= highest(values)
            np.maximum(values, FLOOR, out=values)
            of_true = values[np.arange(len(values)), :, labels[chunk]]
            return terms(values, of_true, labels[chunk], with_spread)

        found = over_chunks(parts, logits, samples)
        return [sum(part) for part in zip(*found, strict=True)]

    def loss(point):
        value, slopes, _ = summed(point, index)
        pull = penalty * point / len(index)
        return value / len(index) + pull @ point / 2, slopes / len(index) + pull

    # A few samples are enough to estimate the curvature.
    few = index[:: max(1, len(index) // ROUGH)]
    spread = summed(start, few, with_spread=True)[2] / len(few)
    scale = spread + (penalty + 1e-12) / len(index)
    return minimise(loss, start, lambda vector: vector / scale)


def _of_logits(values, of_true, labels, with_spread):
    """Sums of NLL, of its slopes, and of an upper bound of its curvatures.

    Args:
        values: Logits `(c, M, K)`, divided by the temperatures.
        of_true: Those `(c, M)` of the true classes.
        labels: Integer array `(c,)`.
        with_spread: Whether to compute the curvatures.
    """
    members = values.shape[1]
    shares = values.mean(axis=1)
    shares -= highest(shares)
    true = shares[np.arange(len(shares)), labels]
    np.exp(shares, out=shares)
    total = shares.sum(axis=1)
    shares /= total[:, None]
    taken = of_true.min(axis=1) > FLOOR
    shares[~taken] = 0
    # Not `matmul`: BLAS would start threads in each of the threads that call this.
    means = np.einsum("nmk,nk->nm", values, shares)
    slopes = (means - of_true)[taken].sum(axis=0) / members
    spread = np.zeros(members)
    if with_spread:
        spread = np.einsum("nmk,nk->nm", np.square(values), shares) - means**2
        spread = np.maximum(spread, 0.0).sum(axis=0) / members**2
    return (np.log(total) - true)[taken].sum(), slopes, spread


def _of_probabilities(values, of_true, labels, with_spread):
    """Like `_of_logits`, for the mean of probabilities."""
    powers = np.exp(values)
    total = powers.sum(axis=2)
    logs = of_true - np.log(total)
    top = logs.max(axis=1, keepdims=True)
    weights = np.exp(logs - top)
    chances = weights.mean(axis=1)
    taken = top[:, 0] > FLOOR
    # The share of each subnetwork in the true class's probability.
    weights /= weights.sum(axis=1, keepdims=True)
    weights[~taken] = 0
    means = np.einsum("nmk,nmk->nm", powers, values) / total
    slopes = (weights * (means - np.maximum(of_true, FLOOR))).sum(axis=0)
    spread = np.zeros(values.shape[1])
    if with_spread:
        squares = np.einsum("nmk,nmk->nm", powers, np.square(values)) / total
        spread = (weights * np.maximum(squares - means**2, 0.0)).sum(axis=0)
    return -(np.log(chances) + top[:, 0])[taken].sum(), slopes, spread
