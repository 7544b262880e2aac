import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import is_number, require
from keras_mixvit.metrics._lbfgs import minimise
from keras_mixvit.metrics._predictions import (
    averaged,
    highest,
    over_chunks,
    require_predictions,
)
from keras_mixvit.metrics._temperature import ROUGH, temperature_of

Scaling = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


def fit_vector_scaling(
    logits: npt.ArrayLike, labels: npt.ArrayLike, penalty: float = 1.0
) -> Scaling:
    """A factor and an offset for each class that give logits the least NLL.

    Calibrated logits are w z + b, with w and b of shape (K,). They minimise

        sum_i NLL_i(w z + b) + (penalty / 2) sum_k (s^2 (w_k - 1 / T)^2 + b_k^2),

    where T is the temperature of `fit_temperature`, or 1 if that is 0 or infinite, and
    s is the root mean square of the logits. The penalty weighs as much as one sample
    and is not in the paper. Without it, a class without samples would get an offset of
    minus infinity, and if all predictions are right, the factors would be infinite.
    `penalty=0` is the paper's definition. (torch-uncertainty's `VectorScaler` has no
    offsets.) The problem is convex. Its solution changes if you add a constant to all
    logits of a sample.

    Args:
        logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is taken
            first. They must be finite.
        labels: Integer array `(n,)`.
        penalty: Float of at least 0, the weight of the penalty. Defaults to `1.0`.

    Returns:
        Factors w and offsets b, float64 arrays `(K,)`.

    Raises:
        ValueError: If logits are NaN or infinite, logits and labels do not fit, or the
            penalty is negative.

    Example:

    ```python
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=1000)
    logits = 9 * (np.eye(10)[labels] + 0.7 * rng.normal(size=(1000, 10)))
    factors, offsets = fit_vector_scaling(logits, labels)
    assert nll(factors * logits + offsets, labels) < nll(logits, labels)
    ```

    References:
        Guo et al., On Calibration of Modern Neural Networks, 2017, Section 4.2
        (vector scaling).
    """
    logits, labels = require_predictions(logits, labels)
    require_penalty(penalty)
    logits, everything = averaged(logits), np.arange(len(logits))
    temperature = temperature_of(logits, labels, everything)
    return scaling_of(logits, labels, everything, penalty, temperature)


def require_penalty(penalty: float) -> None:
    """Requires a penalty to be a finite number of at least 0."""
    require(
        is_number(penalty) and 0 <= penalty < np.inf,
        "`penalty` must be a number of at least 0.",
        penalty=penalty,
    )


def scaling_of(logits, labels, index, penalty: float, temperature: float) -> Scaling:
    """The best factors and offsets for some samples.

    Args:
        logits: Array `(n, K)`.
        labels: Integer array `(n,)`.
        index: Integer array, the samples to fit.
        penalty: Float.
        temperature: Float, the best temperature for the samples.
    """
    problem = _Problem(logits, labels, index, penalty, temperature)
    # With many samples, a different sample would change NLL far more.
    tolerance = 1e-9 if len(index) <= ROUGH else 1e-7
    solve = problem.preconditioner(problem.start)
    found = minimise(problem, problem.start, solve, tolerance)
    return found[: problem.classes], found[problem.classes :]


class _Problem:
    """The mean NLL with its penalty, a function of factors and offsets `(2 K,)`."""

    def __init__(self, logits, labels, index, penalty, temperature):
        self.logits, self.labels, self.index = logits, labels, index
        self.classes = logits.shape[1]
        common = 1 / temperature if 0 < temperature < np.inf else 1.0
        self.start = np.repeat([common, 0.0], self.classes)
        square = sum(over_chunks(self._squares, logits, index))
        mean_square = max(square / (len(index) * self.classes), 1e-300)
        weights = np.repeat([mean_square, 1.0], self.classes)
        self.penalties = penalty / len(index) * weights

    def _squares(self, chunk):
        values = np.array(self.logits[chunk], "float64")
        require(
            np.isfinite(values).all(),
            "`logits` must be finite for vector scaling.",
            infinite=int(np.count_nonzero(~np.isfinite(values))),
        )
        return np.square(values, out=values).sum()

    def __call__(self, point):
        factors, offsets = np.split(point, 2)

        def parts(chunk):
            values, powers, shares, of_true = self._shares(chunk, factors, offsets)
            labels, rows = self.labels[chunk], np.arange(len(values))
            loss = -np.log(shares).sum() - of_true.sum()
            # Not `@`: BLAS would start threads in each of these threads.
            slopes = np.einsum("n,nk->k", shares, powers)
            slopes -= np.bincount(labels, minlength=self.classes)
            np.multiply(powers, values, out=powers)
            steep = np.einsum("n,nk->k", shares, powers)
            taken = values[rows, labels]
            steep -= np.bincount(labels, taken, minlength=self.classes)
            return loss, np.concatenate([steep, slopes])

        losses, gradients = zip(
            *over_chunks(parts, self.logits, self.index), strict=True
        )
        away = point - self.start
        value = sum(losses) / len(self.index) + (self.penalties * away**2).sum() / 2
        return value, sum(gradients) / len(self.index) + self.penalties * away

    def _shares(self, chunk, factors, offsets):
        """Logits, exponentials, factors to make these probabilities, true logits."""
        values = np.array(self.logits[chunk], "float64")
        powers = values * factors
        powers += offsets
        powers -= highest(powers)
        of_true = powers[np.arange(len(powers)), self.labels[chunk]]
        np.exp(powers, out=powers)
        return values, powers, 1 / powers.sum(axis=1), of_true

    def preconditioner(self, point):
        """The inverse of the Hessian without its entries between classes."""
        factors, offsets = np.split(point, 2)

        def parts(chunk):
            values, powers, shares, _ = self._shares(chunk, factors, offsets)
            powers *= shares[:, None]
            powers *= 1 - powers
            found = [powers.sum(axis=0)]
            for _ in range(2):
                np.multiply(powers, values, out=powers)
                found.append(powers.sum(axis=0))
            return np.array(found)

        total = sum(over_chunks(parts, self.logits, self.index)) / len(self.index)
        steep, level = np.split(self.penalties, 2)
        # Classes without samples must not divide by 0.
        floor = 1e-12 * (1 + total.max(axis=1))
        a, d = total[2] + steep + floor[2], total[0] + level + floor[0]
        b = total[1]
        determinant = np.maximum(a * d - b * b, 1e-3 * a * d)

        def solve(vector):
            first, second = np.split(vector, 2)
            return np.concatenate(
                [
                    (d * first - b * second) / determinant,
                    (a * second - b * first) / determinant,
                ]
            )

        return solve
