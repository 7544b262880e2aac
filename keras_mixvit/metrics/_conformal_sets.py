import math
from dataclasses import asdict, dataclass, fields, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import (
    is_number,
    require,
    require_choice,
    require_positive_integer,
)
from keras_mixvit.metrics._conformal_scores import (
    METHODS,
    Conformity,
    sets_of,
    sizes_and_hits,
    true_scores,
)
from keras_mixvit.metrics._predictions import require_logits, require_predictions


@dataclass(frozen=True)
class ConformalSets:
    """Prediction sets that hold the true class with a probability that you choose.

    Pass `fit` predictions of images that you used neither to train nor to choose the
    model. It scores the true class of each image. The threshold is the k-th smallest of
    the n scores, with the least k for which k / (n + 1) >= `coverage`, or infinity if k
    exceeds n. `predict` puts each class whose score is at most the threshold into the
    set. If the images are exchangeable with those of the fit, a set of any model holds
    the true class with at least this probability, on average over images.

    Let p be the probabilities, r the rank of class k, 1 for the likeliest, and
    u uniform in (0, 1), or 1 without `randomised`. The scores of class k are

    | method | score |
    |---|---|
    | `"lac"` | 1 - p_k |
    | `"aps"` | (sum of p over the classes before k) + u p_k |
    | `"raps"` | that of APS + `penalty` max(r - `free_rank`, 0) |

    LAC gives the smallest sets on average. APS gives larger sets to harder images, and
    RAPS shortens long sets. Among classes with equal probabilities, the lower index
    comes first. A set is empty if no score is at most the threshold. The guarantee
    needs the n + 1; torch-uncertainty interpolates the quantile without it, and adds
    the likeliest class to empty sets.

    Args:
        method: `"lac"`, `"aps"` or `"raps"`.
        coverage: Float in (0, 1), the probability that a set holds the true class.
        threshold: Float, the highest score of a class in a set.
        num_classes: Positive integer K.
        samples: Positive integer, the number of samples of the fit.
        penalty: Float of at least 0, lambda of RAPS. Defaults to `0.1`.
        free_rank: Positive integer, k_reg of RAPS; classes of higher rank are
            penalised. Defaults to `1`.
        randomised: Boolean, whether APS and RAPS draw u. Without it, sets are larger
            and always the same. Defaults to `True`.
        seed: Non-negative integer, the seed of u. Defaults to `0`.

    Raises:
        ValueError: If an argument is out of range.

    Example:

    ```python
    rng = np.random.default_rng(0)
    labels = rng.integers(10, size=2000)
    logits = 3 * (np.eye(10)[labels] + 0.7 * rng.normal(size=(2000, 10)))
    fitted = ConformalSets.fit(logits[:1000], labels[:1000], "aps")
    sets = fitted.predict(logits[1000:])
    assert abs(sets[np.arange(1000), labels[1000:]].mean() - 0.9) < 0.03
    assert ConformalSets.from_dict(fitted.to_dict()) == fitted
    ```

    References:
        Sadinle, Lei and Wasserman, Least Ambiguous Set-Valued Classifiers With
        Bounded Error Levels, 2019 (LAC); Romano, Sesia and Candès, Classification
        with Valid and Adaptive Coverage, 2020 (APS); Angelopoulos et al., Uncertainty
        Sets for Image Classifiers using Conformal Prediction, 2021, Eq. 4 (RAPS).
    """

    method: str
    coverage: float
    threshold: float
    num_classes: int
    samples: int
    penalty: float = 0.1
    free_rank: int = 1
    randomised: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        require_choice("method", self.method, METHODS)
        require(
            is_number(self.coverage) and 0 < self.coverage < 1,
            "`coverage` must be in (0, 1).",
            coverage=self.coverage,
        )
        require(
            is_number(self.threshold) and self.threshold >= 0,
            "`threshold` must be a number of at least 0.",
            threshold=self.threshold,
        )
        require(
            is_number(self.penalty) and 0 <= self.penalty < math.inf,
            "`penalty` must be a number of at least 0.",
            penalty=self.penalty,
        )
        require(
            isinstance(self.randomised, bool),
            "`randomised` must be a boolean.",
            randomised=self.randomised,
        )
        for name in ("num_classes", "samples", "free_rank"):
            require_positive_integer(name, getattr(self, name))
        require_positive_integer("seed", self.seed, minimum=0)

    @classmethod
    def fit(
        cls,
        logits: npt.ArrayLike,
        labels: npt.ArrayLike,
        method: str = "lac",
        coverage: float = 0.9,
        **options: Any,
    ) -> Self:
        """Fits the threshold to held-out predictions.

        Args:
            logits: Array `(n, K)`, or `(n, M, K)`, whose mean over M subnetworks is
                taken.
            labels: Integer array `(n,)`.
            method: `"lac"`, `"aps"` or `"raps"`. Defaults to `"lac"`.
            coverage: Float in (0, 1), the probability that a set holds the true class.
                Defaults to `0.9`.
            **options: `penalty`, `free_rank`, `randomised` and `seed` of the class.

        Raises:
            ValueError: If logits are NaN, logits and labels do not fit, or an option
                is out of range.
        """
        checked, labels = require_predictions(logits, labels)
        n, classes = len(checked), checked.shape[-1]
        made = cls(method, coverage, math.inf, classes, n, **options)
        (scores,) = true_scores(checked, labels, *made.rules(n, 0))
        return replace(made, threshold=threshold_of(scores, coverage))

    def predict(self, logits: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """The prediction sets of images, a boolean array `(n, K)`.

        Args:
            logits: Array `(n, K)` or `(n, M, K)`, as for `fit`.

        Returns:
            Boolean array, true for the classes in the set. Image i of a call gets the
            i-th draw of u.

        Raises:
            ValueError: If logits are NaN, or have another number of classes.
        """
        checked = require_logits(logits, (2, 3))
        self._require(checked)
        (rule,), (draws,) = self.rules(len(checked), 1)
        return sets_of(checked, rule, draws, self.threshold)

    def sizes_and_hits(
        self, logits: npt.ArrayLike, labels: npt.ArrayLike
    ) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
        """The size of each set of `predict`, and whether it holds the true class.

        The mean of the second array is the coverage.

        Args:
            logits: Array `(n, K)` or `(n, M, K)`, as for `fit`.
            labels: Integer array `(n,)`.

        Returns:
            Arrays `(n,)`.

        Raises:
            ValueError: If logits are NaN or have another number of classes, or labels
                do not fit.
        """
        checked, labels = require_predictions(logits, labels)
        self._require(checked)
        rules, draws = self.rules(len(checked), 1)
        return sizes_and_hits(checked, labels, rules, draws, [self.threshold])[0]

    def to_dict(self) -> dict[str, Any]:
        """The sets as a dict for JSON; an infinite threshold becomes `None`."""
        threshold = self.threshold if math.isfinite(self.threshold) else None
        return {**asdict(self), "threshold": threshold}

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Self:
        """The sets from the dict of `to_dict`.

        Args:
            values: Dict that `to_dict` returned.

        Raises:
            ValueError: If the dict has other keys, or values out of range.
        """
        names = {field.name for field in fields(cls)}
        require(
            isinstance(values, dict) and set(values) == names,
            f"`values` must be a dict with the keys {', '.join(sorted(names))}.",
            values=sorted(map(str, values)) if isinstance(values, dict) else values,
        )
        threshold = values["threshold"]
        return cls(
            **{**values, "threshold": math.inf if threshold is None else threshold}
        )

    def rules(self, count: int, stream: int) -> tuple[list, list]:
        """The `Conformity` of the method, and u for each sample, each in a list.

        Args:
            count: Integer, the number of samples.
            stream: 0 for the fit and 1 for predictions, which draw different numbers.
        """
        draws = np.ones(count)
        if self.randomised and self.method != "lac":
            draws = np.random.default_rng([self.seed, stream]).random(count)
        return [Conformity(self.method, self.penalty, self.free_rank)], [draws]

    def _require(self, logits):
        require(
            logits.shape[-1] == self.num_classes,
            f"`logits` must have {self.num_classes} classes.",
            shape=logits.shape,
        )


def threshold_of(scores: np.ndarray, coverage: float) -> float:
    """The k-th smallest score, for the least k with k / (n + 1) >= coverage."""
    n = len(scores)
    enough = np.arange(1, n + 1) / (n + 1) >= coverage
    return float(np.sort(scores)[np.argmax(enough)]) if enough.any() else math.inf
