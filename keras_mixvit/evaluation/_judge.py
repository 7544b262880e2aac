"""The scores of predictions, and their intervals."""

from typing import Any

import numpy as np

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.metrics._accuracy import accuracy_of
from keras_mixvit.metrics._aurc import aurc_of, excess_aurc_of
from keras_mixvit.metrics._auroc import auroc_of
from keras_mixvit.metrics._calibrated_nll import calibrated_parts
from keras_mixvit.metrics._calibration_error import calibration_error_of
from keras_mixvit.metrics._classwise_calibration_error import ClasswiseGaps
from keras_mixvit.metrics._pairwise_kl import divergences
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.metrics._ratio_error import (
    mean_ratios,
    predicted_classes,
    single_and_common,
)
from keras_mixvit.metrics._resamples import Resamples, weighted_means, weighted_sums
from keras_mixvit.metrics._selective_risk import (
    coverage_at_risk_of,
    risk_at_coverage_of,
)
from keras_mixvit.metrics._subnetwork_pairs import shares_of_pairs
from keras_mixvit.metrics._weighted_scores import WeightedScores

DIVERSITY = ("ratio_error", "disagreement", "pairwise_kl")
THOROUGH = ("classwise_ece", "calibrated_nll_vector", "calibrated_nll_subnetworks")


class Judge:
    """Scores predictions of the same images, and resamples these alike for all.

    Args:
        labels: Integer array `(n,)`.
        bins: Positive integer. Defaults to `15`.
        seed: Non-negative integer. Defaults to `0`.
        thorough: Boolean, whether to compute the scores that take longer. Defaults to
            `False`.
        bootstrap: Non-negative integer, the number of resamples. Defaults to `0`.
    """

    def __init__(
        self,
        labels: np.ndarray,
        bins: int = 15,
        seed: int = 0,
        thorough: bool = False,
        bootstrap: int = 0,
    ):
        require_positive_integer("bins", bins)
        require_positive_integer("bootstrap", bootstrap, minimum=0)
        require_positive_integer("seed", seed, minimum=0)
        require(
            isinstance(thorough, bool),
            "`thorough` must be a boolean.",
            thorough=thorough,
        )
        self.labels, self.bins, self.seed = labels, bins, seed
        self.thorough = thorough
        self.resamples = None
        if bootstrap:
            self.resamples = Resamples(len(labels), bootstrap, seed)

    def row(
        self,
        averaged: np.ndarray,
        members: np.ndarray | None = None,
        ensemble_of: str = "logits",
        is_part: bool = False,
    ) -> dict[str, Any]:
        """Every score of a prediction, and intervals where images are resampled.

        Args:
            averaged: Logits `(n, K)`.
            members: Logits `(n, M, K)` of what is averaged, or `None`. Defaults to
                `None`.
            ensemble_of: String, what is averaged. Defaults to `"logits"`.
            is_part: Boolean, whether it is a subnetwork, whose scores that take longer
                are left out. Defaults to `False`.
        """
        scores = sample_scores(averaged, self.labels)
        intervals: dict[str, Any] = {}
        if self.resamples is not None:
            judge = WeightedScores(scores, self.bins)
            self._add(intervals, judge.NAMES, self.resamples.values(judge))
        row: dict[str, Any] = {
            "accuracy": accuracy_of(scores),
            "top5": accuracy_of(scores, k=5),
            "nll": float(scores.nll.mean()),
        }
        found = None
        if len(self.labels) > 1:
            found = calibrated_parts(averaged, self.labels, self.seed)
            self._add_calibrated(intervals, "calibrated_nll", found)
        row |= {
            "calibrated_nll": float("nan") if found is None else found.nll,
            "temperature": float("nan") if found is None else sum(found.fitted) / 2,
            "ece": calibration_error_of(scores, self.bins),
            "adaptive_ece": calibration_error_of(scores, self.bins, adaptive=True),
            "brier": float(scores.brier.mean()),
            "auroc": auroc_of(scores),
            "aurc": aurc_of(scores),
            "excess_aurc": excess_aurc_of(scores),
            "risk_at_80": risk_at_coverage_of(scores),
            "coverage_at_5": coverage_at_risk_of(scores),
        }
        row |= self._diversity(members, intervals)
        if self.thorough:
            row |= dict.fromkeys(THOROUGH)
        if self.thorough and not is_part:
            row |= self._longer(averaged, members, ensemble_of, found, intervals)
        if self.resamples is not None:
            row["intervals"] = intervals
        return row

    def _diversity(self, members, intervals):
        if members is None:
            return dict.fromkeys(DIVERSITY)
        classes = predicted_classes(members)
        wrong = classes != self.labels[:, None]
        single, common = single_and_common(wrong)
        means = np.stack([shares_of_pairs(classes), divergences(members)]).T
        if self.resamples is not None:
            pairs = np.concatenate([single, common], axis=1)
            pairs = pairs.astype("float64", order="F")

            def judge(counts):
                weights = counts.astype("float64")
                sums = weighted_sums(weights, pairs)
                ratios = mean_ratios(*np.split(sums, 2, axis=1))
                return np.column_stack([ratios, weighted_means(weights, means)])

            self._add(intervals, DIVERSITY, self.resamples.values(judge))
        ratio = mean_ratios(single.sum(axis=0)[None], common.sum(axis=0)[None])
        values = [ratio[0], *means.mean(axis=0)]
        return dict(zip(DIVERSITY, map(float, values), strict=True))

    def _longer(self, averaged, members, ensemble_of, found, intervals):
        is_kept = self.resamples is not None
        gaps = ClasswiseGaps(averaged, self.labels, self.bins, is_kept)
        row = {"classwise_ece": gaps.error()}
        if self.resamples is not None:
            errors = gaps.errors(self.resamples.counts)
            self._add(intervals, ("classwise_ece",), errors[:, None])
        if found is None:
            return row
        methods = [("vector", averaged, found.temperatures)]
        if members is not None:
            # Of a mean of logits they are the same.
            known = found.temperatures if ensemble_of == "logits" else None
            methods.append(("subnetworks", members, known))
        for method, logits, known in methods:
            parts = calibrated_parts(
                logits, self.labels, self.seed, method, ensemble_of, known
            )
            row[f"calibrated_nll_{method}"] = parts.nll
            self._add_calibrated(intervals, f"calibrated_nll_{method}", parts)
        return row

    def _add(self, intervals, names, values):
        if self.resamples is not None:
            found = self.resamples.interval(values).T.tolist()
            intervals |= dict(zip(names, found, strict=True))

    def _add_calibrated(self, intervals, name, parts):
        if self.resamples is None:
            return

        def judge(counts):
            halves = [
                weighted_means(
                    np.take(counts, half, axis=1).astype("float64"),
                    parts.values[half][:, None],
                )
                for half in parts.halves
            ]
            return (halves[0] + halves[1]) / 2

        self._add(intervals, (name,), self.resamples.values(judge))
