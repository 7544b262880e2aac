"""Functions of the metrics, and arguments that values of wrong types may reach."""

import numpy as np

from keras_mixvit.metrics import (
    ConformalSets,
    bootstrap_intervals,
    calibrated_nll,
    coverage_at_risk,
    fit_subnetwork_temperatures,
    fit_vector_scaling,
    ood_detection,
    risk_at_coverage,
    set_scores,
)

LOGITS = np.random.default_rng(0).normal(size=(6, 3))
Y = np.array([0, 1, 2, 0, 1, 2])
METRIC_CASES = {
    "bootstrap_intervals": (
        bootstrap_intervals,
        {"logits": LOGITS, "labels": Y, "replicates": 2},
        ["logits", "labels", "replicates", "level", "bins", "seed"],
    ),
    "calibrated_nll": (
        calibrated_nll,
        {"logits": LOGITS, "labels": Y},
        ["labels", "seed", "method", "ensemble_of"],
    ),
    "risk_at_coverage": (
        risk_at_coverage,
        {"logits": LOGITS, "labels": Y},
        ["logits", "labels", "coverage"],
    ),
    "coverage_at_risk": (
        coverage_at_risk,
        {"logits": LOGITS, "labels": Y},
        ["logits", "risk"],
    ),
    "ood_detection": (
        ood_detection,
        {"known": [1.0], "unknown": [2.0]},
        ["known", "unknown", "tpr", "positive"],
    ),
    "ConformalSets.fit": (
        ConformalSets.fit,
        {"logits": LOGITS, "labels": Y},
        [
            *("logits", "labels", "method", "coverage", "penalty", "free_rank"),
            *("randomised", "seed"),
        ],
    ),
    "ConformalSets.from_dict": (ConformalSets.from_dict, {}, ["values"]),
    "set_scores": (
        set_scores,
        {"sets": LOGITS > 0, "labels": Y},
        ["sets", "labels"],
    ),
    "fit_vector_scaling": (
        fit_vector_scaling,
        {"logits": LOGITS, "labels": Y},
        ["logits", "labels", "penalty"],
    ),
    "fit_subnetwork_temperatures": (
        fit_subnetwork_temperatures,
        {"logits": np.stack([LOGITS, LOGITS], axis=1), "labels": Y},
        ["logits", "labels", "ensemble_of", "penalty"],
    ),
}
