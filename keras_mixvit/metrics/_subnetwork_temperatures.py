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
    """One temperature per subnetwork, with which their mean has the least NLL.

    The subnetworks are divided by their temperatures before they are averaged, and
    the temperatures are fitted together, to the mean:

        p = softmax(mean_m z_m / T_m),  or  p = mean_m softmax(z_m / T_m).

    They minimise sum_i NLL_i + (penalty / 2) sum_m log(T_m / T)^2, where T is the
    temperature of `fit_temperature`. The penalty weighs as much as one sample and lets
    a minimum exist. Where T is 0 or infinite, as where all predictions are right, each
    T_m is T.

    Args:
        logits: Array `(n, M, K)` of at least two subnetworks.
        labels: Integer array `(n,)`.
        ensemble_of: `"logits"` or `"probabilities"`, what is averaged. Defaults to
            `"logits"`.
        penalty: Float of at least 0. Defaults to `1.0`.

    Returns:
        Float64 array `(M,)`.

    Raises:
        ValueError: If logits are NaN, not of several subnetworks, logits and labels do
            not fit, or an option is out of range.

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
    """The temperatures that are best for some samples.

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

    def loss(point):
        factors = np.exp(point) / common

        def parts(chunk):
            values = np.array(logits[chunk], "float64") * factors[:, None]
            return _loss_and_slopes(values, labels[chunk], ensemble_of)

        losses, slopes, _ = zip(*over_chunks(parts, logits, index), strict=True)
        pull = penalty * point / len(index)
        value = sum(losses) / len(index) + pull @ point / 2
        return value, sum(slopes) / len(index) + pull

    def curvature(chunk):
        values = np.array(logits[chunk], "float64") * (np.exp(start) / common)[:, None]
        return _loss_and_slopes(values, labels[chunk], ensemble_of)[2]

    scale = sum(over_chunks(curvature, logits, index)) + penalty + 1e-12
    return minimise(loss, start, lambda vector: vector * len(index) / scale)


def _loss_and_slopes(values, labels, ensemble_of):
    """Sums over samples of NLL, of its slopes, and of a bound of its curvatures.

    Args:
        values: Logits `(c, M, K)`, divided by the temperatures.
        labels: Integer array `(c,)`.
        ensemble_of: String.
    """
    members, rows = values.shape[1], np.arange(len(values))
    with np.errstate(over="ignore"):
        values -= highest(values)
    np.maximum(values, FLOOR, out=values)
    of_true = values[rows, :, labels]
    if ensemble_of == "logits":
        mean = values.mean(axis=1)
        mean -= highest(mean)
        true = mean[rows, labels]
        shares = np.exp(mean)
        total = shares.sum(axis=1)
        shares /= total[:, None]
        loss = np.log(total) - true
        expected = np.einsum("nk,nmk->nm", shares, values)
        slopes = (expected - of_true) / members
        spread = np.einsum("nk,nmk,nmk->nm", shares, values, values) - expected**2
        spread /= members**2
    else:
        shares = np.exp(values)
        total = shares.sum(axis=2)
        shares /= total[..., None]
        logs = of_true - np.log(total)
        top = logs.max(axis=1, keepdims=True)
        weights = np.exp(logs - top)
        loss = np.log(members) - top[:, 0] - np.log(weights.sum(axis=1))
        weights /= weights.sum(axis=1, keepdims=True)
        expected = np.einsum("nmk,nmk->nm", shares, values)
        slopes = weights * (expected - of_true)
        spread = np.einsum("nmk,nmk,nmk->nm", shares, values, values) - expected**2
        spread *= weights
    taken = of_true.min(axis=1) > FLOOR
    return (
        loss[taken].sum(),
        slopes[taken].sum(axis=0),
        np.maximum(spread, 0.0)[taken].sum(axis=0),
    )
