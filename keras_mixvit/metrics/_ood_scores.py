import numpy as np
import numpy.typing as npt

from keras_mixvit.metrics._predictions import (
    highest,
    over_chunks,
    require_logits,
)
from keras_mixvit.metrics._subnetwork_pairs import shares_of_pairs

OF_ALL = ("max_probability", "entropy", "energy")
OF_SUBNETWORKS = ("mutual_information", "disagreement")


def ood_scores(logits: npt.ArrayLike) -> dict[str, npt.NDArray[np.float64]]:
    """Scores of each prediction that are high for images out of the distribution.

    Let z be the logits, p = softmax(z), and p_m the probabilities of subnetwork m.
    Every score grows with uncertainty:

    | name | score |
    |---|---|
    | `max_probability` | 1 - max_k p_k |
    | `entropy` | H(p) = -sum_k p_k log p_k |
    | `energy` | -log sum_k exp z_k |
    | `mutual_information` | H(mean_m p_m) - mean_m H(p_m) |
    | `disagreement` | share of pairs of subnetworks with different classes |

    For logits `(n, M, K)`, z is their mean over subnetworks, as in all functions of
    this package; only `mutual_information` uses the mean of probabilities. `entropy` is
    that of the ensemble; in torch-uncertainty, the criterion of this name is the mean
    entropy of the members. The last two scores need at least two subnetworks. The
    energy changes if you add a constant to all logits of an image, so it is meaningless
    for logits that are logarithms of probabilities.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.

    Returns:
        Dict from names to float64 arrays `(n,)`.

    Raises:
        ValueError: If logits are NaN, or have another shape.

    Example:

    ```python
    known, unknown = [[4.0, 0.0], [0.0, 4.0]], [[1.0, 0.0], [0.0, 1.0]]
    scores = ood_scores([known, unknown])
    assert list(scores)[-1] == "disagreement"
    assert ood_scores(known)["entropy"][0] < ood_scores(unknown)["entropy"][0]
    ```

    References:
        Hendrycks and Gimpel, A Baseline for Detecting Misclassified and
        Out-of-Distribution Examples in Neural Networks, 2017; Liu et al.,
        Energy-based Out-of-distribution Detection, 2020, Eq. 4; Houlsby et al.,
        Bayesian Active Learning for Classification and Preference Learning, 2011,
        Eq. 2.
    """
    logits = require_logits(logits, (2, 3))
    if logits.ndim == 3 and logits.shape[1] == 1:
        logits = logits[:, 0]
    return scores_of_logits(logits, None)


def scores_of_logits(
    logits: np.ndarray, averaged: np.ndarray | None
) -> dict[str, np.ndarray]:
    """The scores of predictions.

    Args:
        logits: Array `(n, K)` or `(n, M, K)`.
        averaged: Logits `(n, K)` of the prediction if it is another mean than that of
            the logits; else `None`.
    """

    def scores_of(chunk):
        values = np.array(logits[chunk], dtype="float64")
        highest(values)
        mean = values if values.ndim == 2 else values.mean(axis=1)
        predicted = mean
        if averaged is not None:
            predicted = np.array(averaged[chunk], dtype="float64")
        log_sum, entropy, rest = _of_all(predicted)
        energy = -log_sum if predicted is mean else -_of_all(mean)[0]
        found = [rest, entropy, energy]
        if values.ndim == 3:
            found += [_information(values), shares_of_pairs(values.argmax(axis=-1))]
        return found

    parts = over_chunks(scores_of, logits)
    names = OF_ALL if logits.ndim == 2 else (*OF_ALL, *OF_SUBNETWORKS)
    columns = map(np.concatenate, zip(*parts, strict=True))
    return dict(zip(names, columns, strict=True))


def _of_all(values):
    """Log of the sum of powers, entropy, and 1 - the highest probability."""
    top = highest(values)
    with np.errstate(over="ignore"):
        below = values - top
    powers = np.exp(below)
    total = powers.sum(axis=-1)
    below[powers == 0] = 0
    entropy = np.log(total) - np.einsum("...k,...k->...", powers, below) / total
    log_sum = top[..., 0] + np.log(total)
    return log_sum, np.maximum(entropy, 0.0), 1 - 1 / total


def _information(values):
    """Mutual information of predictions `(c, M, K)`."""
    with np.errstate(over="ignore"):
        below = values - highest(values)
    shares = np.exp(below)
    total = shares.sum(axis=-1, keepdims=True)
    shares /= total
    below[shares == 0] = 0
    each = np.log(total)[..., 0] - np.einsum("nmk,nmk->nm", shares, below)
    mean = shares.mean(axis=1)
    # Probabilities of zero add nothing: x log x is 0 at 0.
    logs = np.log(np.maximum(mean, np.finfo("float64").tiny))
    of_mean = -np.einsum("nk,nk->n", mean, logs)
    return np.maximum(of_mean - each.mean(axis=1), 0.0)
