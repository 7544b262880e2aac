import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require
from keras_mixvit.metrics._class_accuracy import means_per_class


def set_scores(
    sets: npt.ArrayLike, labels: npt.ArrayLike
) -> dict[str, float | npt.NDArray[np.float64]]:
    """Coverage and size of prediction sets, overall and per class.

    Args:
        sets: Boolean array `(n, K)`, as `ConformalSets.predict` returns it.
        labels: Integer array `(n,)`.

    Returns:
        Dict. Its floats are `coverage`, the share of sets that hold the true class,
        `mean_size`, and `empty`, the share of sets without a class. Its arrays `(K,)`
        are `class_coverage` and `class_size` of the samples of each class, NaN for a
        class without samples.

    Raises:
        ValueError: If sets and labels do not fit.

    Example:

    ```python
    sets = [[True, False], [True, True], [False, False]]
    scores = set_scores(sets, [0, 1, 1])
    assert (scores["coverage"], scores["mean_size"]) == (2 / 3, 1.0)
    assert scores["class_coverage"].tolist() == [1.0, 0.5]
    ```

    References:
        Angelopoulos et al., Uncertainty Sets for Image Classifiers using Conformal
        Prediction, 2021, Section 3.
    """
    sets, labels = np.asarray(sets), np.asarray(labels)
    require(
        sets.dtype == bool and sets.ndim == 2 and sets.size > 0,
        "`sets` must be booleans of shape (n, K) and not be empty.",
        dtype=str(sets.dtype),
        shape=sets.shape,
    )
    require(
        labels.dtype.kind in "iu" and labels.shape == sets.shape[:1],
        "`labels` must be one integer for each set.",
        dtype=str(labels.dtype),
        labels=labels.shape,
        sets=sets.shape,
    )
    low, high, classes = int(labels.min()), int(labels.max()), sets.shape[1]
    require(
        low >= 0 and high < classes,
        f"`labels` must be in 0 to {classes - 1}.",
        range=(low, high),
    )
    sizes = np.count_nonzero(sets, axis=1)
    return scores_of_sets(sizes, sets[np.arange(len(sets)), labels], labels, classes)


def scores_of_sets(
    sizes: np.ndarray, hits: np.ndarray, labels: np.ndarray, classes: int
) -> dict:
    """The scores of sets, from their sizes and whether they hold the true class."""
    return {
        "coverage": float(hits.mean()),
        "mean_size": float(sizes.mean()),
        "empty": float((sizes == 0).mean()),
        "class_coverage": means_per_class(hits, labels, classes),
        "class_size": means_per_class(sizes, labels, classes),
    }
