"""What a model predicts of the images of each class."""

from typing import Any

import numpy as np

from keras_mixvit.metrics._class_accuracy import means_per_class
from keras_mixvit.metrics._predictions import likeliest
from keras_mixvit.metrics._resamples import Resamples


def class_scores(
    logits: np.ndarray, labels: np.ndarray, resamples: Resamples | None
) -> dict[str, Any]:
    """Samples and accuracy of each class, and the confusion matrix without zeros.

    Args:
        logits: Array `(n, K)`.
        labels: Integer array `(n,)`.
        resamples: Of the images, or `None`.
    """
    classes, predicted = logits.shape[1], likeliest(logits)
    right = predicted == labels
    cells, counts = np.unique(
        np.stack([labels, predicted], axis=1), axis=0, return_counts=True
    )
    found: dict[str, Any] = {
        "samples": np.bincount(labels, minlength=classes).tolist(),
        "accuracy": means_per_class(right, labels, classes).tolist(),
        "confusion": np.column_stack([cells, counts]).tolist(),
    }
    if resamples is not None:
        order = np.argsort(labels, kind="stable")
        held, firsts = np.unique(labels[order], return_index=True)
        hits = right[order].astype("float64")

        def judge(counts):
            weights = np.take(counts, order, axis=1).astype("float64")
            totals = np.add.reduceat(weights, firsts, axis=1)
            sums = np.add.reduceat(weights * hits, firsts, axis=1)
            nothing = np.full(sums.shape, np.nan)
            return np.divide(sums, totals, out=nothing, where=totals > 0)

        intervals = np.full((classes, 2), np.nan)
        intervals[held] = resamples.interval(resamples.values(judge)).T
        found["intervals"] = {"accuracy": intervals.tolist()}
    return found
