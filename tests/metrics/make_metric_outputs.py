"""Writes what scikit-learn and torchmetrics compute of drawn predictions.

    pip install scikit-learn torchmetrics
    python -m tests.metrics.make_metric_outputs

Predictions are not stored: they are drawn from seeds.
"""

import json
from pathlib import Path

import numpy as np
import torch
import torchmetrics
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, logsumexp, rel_entr, softmax
from sklearn import metrics

from tests.metrics import plain

PATH = Path(__file__).parent / "metric_outputs.json"


def outputs(seed=0, **options):
    """Scores of the first subnetwork, and of all of them together."""
    members, labels = plain.drawn(seed, **options)
    logits = members[:, 0]
    classes = np.arange(logits.shape[1])
    chances = softmax(logits, axis=1)
    right = chances.argmax(axis=1) == labels
    calibration = torchmetrics.functional.classification.multiclass_calibration_error
    tensors = torch.tensor(chances), torch.tensor(labels)

    def loss(inverse):
        of_true = logits[np.arange(len(labels)), labels]
        return np.mean(logsumexp(inverse * logits, axis=1) - inverse * of_true)

    inverse = minimize_scalar(loss, bounds=(1e-6, 1e3), options={"xatol": 1e-12}).x
    logs = log_softmax(members, axis=-1)
    pairs = [(i, j) for i in range(logs.shape[1]) for j in range(logs.shape[1])]
    divergence = [
        rel_entr(np.exp(logs[:, i]), np.exp(logs[:, j])).sum(axis=1).mean()
        for i, j in pairs
        if i != j
    ]
    predicted = members.argmax(axis=-1)
    disagreement = [
        metrics.zero_one_loss(predicted[:, i], predicted[:, j])
        for i, j in pairs
        if i < j
    ]
    ratios = []
    for i, j in pairs:
        if i < j:
            wrong = [predicted[:, m] != labels for m in (i, j)]
            (_, first), (second, both) = metrics.confusion_matrix(*wrong)
            ratios.append((first + second) / both)
    return {
        "accuracy": metrics.accuracy_score(labels, predicted[:, 0]),
        "top3": metrics.top_k_accuracy_score(labels, chances, k=3, labels=classes),
        "nll": metrics.log_loss(labels, chances, labels=classes),
        "brier": metrics.brier_score_loss(
            labels, chances, labels=classes, scale_by_half=False
        ),
        "auroc": metrics.roc_auc_score(right, chances.max(axis=1)),
        "ece": float(calibration(*tensors, num_classes=len(classes), n_bins=15)),
        "temperature": 1 / inverse,
        "ratio_error": np.mean(ratios),
        "disagreement": np.mean(disagreement),
        "pairwise_kl": np.mean(divergence),
    }


if __name__ == "__main__":
    found = {name: outputs(**options) for name, options in plain.CASES.items()}
    found = {
        name: {score: float(value) for score, value in scores.items()}
        for name, scores in found.items()
    }
    PATH.write_text(json.dumps(found, indent=1) + "\n")
