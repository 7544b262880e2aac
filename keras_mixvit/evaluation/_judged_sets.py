"""Prediction sets that are fitted on held-out images, and judged on others."""

from dataclasses import replace
from typing import Any

import numpy as np

from keras_mixvit.evaluation._predicted import Group
from keras_mixvit.metrics._conformal_scores import (
    METHODS,
    sizes_and_hits,
    true_scores,
)
from keras_mixvit.metrics._conformal_sets import ConformalSets, threshold_of
from keras_mixvit.metrics._resamples import Resamples, weighted_means
from keras_mixvit.metrics._set_scores import scores_of_sets

COVERAGE = 0.9
NAMES = ("coverage", "mean_size", "empty")


def fitted_sets(
    logits: np.ndarray, labels: np.ndarray, seed: int
) -> list[ConformalSets]:
    """The sets of every method, fitted on held-out predictions in one pass.

    Args:
        logits: Array `(n, K)`.
        labels: Integer array `(n,)`.
        seed: Non-negative integer.
    """
    n, classes = len(logits), logits.shape[1]
    open_sets = [
        ConformalSets(method, COVERAGE, float("inf"), classes, n, seed=seed)
        for method in METHODS
    ]
    scores = true_scores(logits, labels, *_rules(open_sets, n, 0))
    return [
        replace(sets, threshold=threshold_of(found, COVERAGE))
        for sets, found in zip(open_sets, scores, strict=True)
    ]


def set_rows(
    fitted: list[ConformalSets],
    group: Group,
    labels: np.ndarray,
    resamples: Resamples | None,
) -> list[dict[str, Any]]:
    """A row for each method.

    Args:
        fitted: List of `ConformalSets`.
        group: `Group`, whose mean is judged.
        labels: Integer array `(n,)`.
        resamples: Of the images, or `None`.
    """
    thresholds = [sets.threshold for sets in fitted]
    rules, draws = _rules(fitted, len(labels), 1)
    rows = []
    found = sizes_and_hits(group.averaged, labels, rules, draws, thresholds)
    for sets, (sizes, hits) in zip(fitted, found, strict=True):
        scores = scores_of_sets(sizes, hits, labels, sets.num_classes)
        row = {
            "inference": group.inference,
            "part": group.part,
            "method": sets.method,
            **{key: np.asarray(value).tolist() for key, value in scores.items()},
            "fitted": sets.to_dict(),
        }
        if resamples is not None:
            values = np.stack([hits, sizes, sizes == 0], dtype="float64").T
            means = resamples.values(
                lambda counts, values=values: weighted_means(
                    counts.astype("float64"), values
                )
            )
            interval = resamples.interval(means).T.tolist()
            row["intervals"] = dict(zip(NAMES, interval, strict=True))
        rows.append(row)
    return rows


def _rules(fitted, count, stream):
    rules = [sets.rules(count, stream) for sets in fitted]
    return [rule for (rule,), _ in rules], [draws for _, (draws,) in rules]
