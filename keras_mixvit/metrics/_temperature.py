import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import (
    averaged,
    chunk_of,
    over_chunks,
    require_predictions,
)

# Replaces minus infinity: its square is finite, and its exponential is 0.
FLOOR = -1e150
# The number of samples of a first, rough fit, if there are many more.
ROUGH = 4096


def fit_temperature(logits: npt.ArrayLike, labels: npt.ArrayLike) -> float:
    """The temperature T that minimises the NLL of logits / T, to calibrate a model.

    NLL is convex in 1 / T. Newton's method on its derivative, kept within a bracket,
    finds the minimum with a relative error well below 1e-4, for logits of any scale.
    Samples whose true class has probability 0 have an infinite NLL at every T; they do
    not count.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is taken
            first.
        labels: Integer array `(n,)`.

    Returns:
        Positive float; 0 if the true class always has the highest logit, so NLL keeps
        falling with T; infinity if no T is better than equal probabilities; 1 if T
        changes nothing, as with one class.

    Raises:
        ValueError: If logits are NaN, or logits and labels do not fit.

    Example:

    ```python
    logits = np.log([[0.9, 0.1]] * 4)
    temperature = fit_temperature(logits, [0, 0, 0, 1])
    assert abs(temperature - np.log(9) / np.log(3)) < 1e-6
    ```

    References:
        MixMo, Section 4.1; Guo et al., On Calibration of Modern Neural
        Networks, 2017, Section 4.2.
    """
    logits, labels = require_predictions(logits, labels)
    logits = averaged(logits)
    return temperature_of(logits, labels, np.arange(len(logits)))


def temperature_of(logits, labels, index, start: float | None = None) -> float:
    """The best temperature for some samples.

    Args:
        logits: Array `(n, K)`.
        labels: Integer array `(n,)`.
        index: Integer array, the samples to fit.
        start: Float, a temperature near the best one, or `None`. Defaults to `None`.

    Returns:
        The result of `fit_temperature`.
    """
    at_zero, differs, errs = _limits(logits, labels, index)
    if not differs:
        return 1.0
    if not errs:
        return 0.0
    if at_zero >= 0:
        return float("inf")
    if start is None and len(index) >= 4 * ROUGH:
        start = temperature_of(logits, labels, index[:: len(index) // ROUGH])
    inverse = 1 / start if start and np.isfinite(start) else 1.0
    return float(1 / _newton(logits, labels, index, inverse))


def _newton(logits, labels, index, inverse):
    """The inverse temperature at which the slope is 0, from a start near it."""
    low, high, factor, last = 0.0, np.inf, 8.0, np.inf
    # Far more steps than needed: each step that is not Newton's halves the bracket, or
    # squares the factor of the search for one.
    for _ in range(1000):
        slope, curvature = _slope(logits, labels, index, inverse)
        if slope == 0:
            break
        low, high = (inverse, high) if slope < 0 else (low, inverse)
        newton = inverse - slope / curvature if curvature > 0 else np.nan
        step = abs(newton - inverse)
        # If few samples decide, Newton's steps are all similar: too slow.
        if low < newton < high and step < 0.7 * last:
            inverse, last = newton, step
            if step <= 1e-5 * inverse:
                break
            continue
        before = inverse
        if high == np.inf or low == 0:
            inverse = inverse * factor if high == np.inf else inverse / factor
            factor = min(factor**2, 1e16)
        else:
            inverse = np.sqrt(low) * np.sqrt(high)
        last = abs(inverse - before)
        if high <= low * (1 + 1e-9):
            break
    return inverse


def _shifted(logits, labels, chunk):
    """Logits minus the highest, and those of the true class; you may overwrite both."""
    values, top = chunk_of(logits, chunk)
    with np.errstate(over="ignore"):
        values -= top
    np.maximum(values, FLOOR, out=values)
    of_true = values[np.arange(len(values)), labels[chunk]]
    return values, of_true, of_true > FLOOR


def _limits(logits, labels, index):
    """The slope at 1 / T = 0, whether T matters, whether a true class is not on top."""

    def limits_of(chunk):
        values, of_true, taken = _shifted(logits, labels, chunk)
        possible = values > FLOOR
        lowest = values.min(axis=1)
        if not possible.all():
            lowest = values.min(axis=1, where=possible, initial=0.0)
            values[~possible] = 0
        means = values.sum(axis=1) / np.count_nonzero(possible, axis=1)
        return (
            (means - of_true)[taken].sum(),
            bool((lowest[taken] < 0).any()),
            bool((of_true[taken] < 0).any()),
        )

    slopes, differ, err = zip(*over_chunks(limits_of, logits, index), strict=True)
    return sum(slopes), any(differ), any(err)


def _slope(logits, labels, index, inverse):
    """First and second derivative of the sum of NLL with respect to 1 / T."""

    def slope_of(chunk):
        values, of_true, taken = _shifted(logits, labels, chunk)
        powers = np.exp(inverse * values)
        total = powers.sum(axis=1)
        np.multiply(powers, values, out=powers)
        mean = powers.sum(axis=1) / total
        variance = np.einsum("nk,nk->n", powers, values) / total - mean**2
        return (mean - of_true)[taken].sum(), np.maximum(variance, 0.0)[taken].sum()

    return np.sum(over_chunks(slope_of, logits, index), axis=0)
