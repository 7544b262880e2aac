"""Writes what other libraries compute of the uncertainty of drawn predictions.

    pip install scikit-learn scipy torchmetrics torch-uncertainty
    python -m tests.metrics.make_uncertainty_outputs

Predictions are not stored: they are drawn from seeds. torch-uncertainty has no optimum
of its own for offsets and for temperatures of subnetworks, so SciPy minimises these.
"""

import json
from pathlib import Path

import numpy as np
import torch
from scipy.optimize import minimize
from scipy.spatial.distance import pdist
from scipy.special import log_softmax, logsumexp, softmax
from scipy.stats import entropy
from sklearn import metrics
from torch_uncertainty.metrics.classification import (
    AURC,
    FPR95,
    CovAt5Risk,
    MutualInformation,
    RiskAt80Cov,
)
from torch_uncertainty.ood_criteria import EnergyCriterion, MaxSoftmaxCriterion
from torch_uncertainty.post_processing.conformal import (
    ConformalClsAPS,
    ConformalClsRAPS,
    ConformalClsTHR,
)
from torchmetrics.functional.classification import binary_calibration_error

from tests.metrics import plain

PATH = Path(__file__).parent / "uncertainty_outputs.json"
RULES = {
    "lac": lambda: ConformalClsTHR(0.1, enable_ts=False),
    "aps": lambda: ConformalClsAPS(0.1, enable_ts=False, randomized=False),
    "raps": lambda: ConformalClsRAPS(
        0.1, penalty=0.05, regularization_rank=2, randomized=False
    ),
}


def selective(shares, labels):
    """Scores of selective classification, and the curve's mean."""
    tensors = torch.tensor(shares), torch.tensor(labels)
    made = {"aurc_trapezoid": AURC(), "risk_at_80": RiskAt80Cov()}
    made["coverage_at_5"] = CovAt5Risk()
    for metric in made.values():
        metric.update(*tensors)
    found = {name: float(metric.compute()) for name, metric in made.items()}
    risks = made["aurc_trapezoid"].partial_compute()
    oracle = AURC()
    oracle.scores.append((tensors[0].argmax(1) == tensors[1]).double())
    oracle.errors.append(1 - oracle.scores[0])
    found["aurc"] = float(risks.mean())
    found["excess_aurc"] = float(risks.mean() - oracle.partial_compute().mean())
    return found


def detection(known, unknown):
    """Detection by a score that is high out of the distribution."""
    scores = np.concatenate([known, unknown])
    is_out = np.repeat([0, 1], [len(known), len(unknown)])
    rates, found, _ = metrics.roc_curve(1 - is_out, -scores, drop_intermediate=False)
    other = FPR95(pos_label=1)
    other.update(torch.tensor(scores), torch.tensor(is_out))
    return {
        "auroc": metrics.roc_auc_score(is_out, scores),
        "aupr_in": metrics.average_precision_score(1 - is_out, -scores),
        "aupr_out": metrics.average_precision_score(is_out, scores),
        "fpr95": rates[np.argmax(found >= 0.95)],
        "fpr95_out": float(other.compute()),
    }


def ood(members):
    """Scores of all predictions, and what they detect: the last third is unknown."""
    mean = members.mean(axis=1)
    each = softmax(members, axis=-1)
    mutual = MutualInformation(reduction="none")
    scores = {
        "max_probability": 1 + MaxSoftmaxCriterion()(torch.tensor(softmax(mean, -1))),
        "entropy": torch.tensor(entropy(softmax(mean, -1), axis=-1)),
        "energy": EnergyCriterion()(torch.tensor(members)),
        "mutual_information": mutual(torch.tensor(each)),
        "disagreement": [
            pdist(classes[:, None], "hamming").mean()
            for classes in members.argmax(axis=-1)
        ],
    }
    scores = {name: np.asarray(found, "float64") for name, found in scores.items()}
    border = 2 * len(mean) // 3
    return {
        name: {
            "mean": found.mean(),
            "square": np.square(found).mean(),
            **detection(found[:border], found[border:]),
        }
        for name, found in scores.items()
    }


def conformal(logits, labels):
    """Sets fitted on the first half and judged on the second."""
    half = len(labels) // 2
    shares = torch.tensor(softmax(logits, axis=1))
    found = {}
    for name, make in RULES.items():
        rule = make()
        if name == "lac":
            scores = 1 - shares
            true = scores[torch.arange(len(labels)), torch.tensor(labels)]
        else:
            scores = rule._calculate_all_labels(shares)
            true = rule._calculate_single_label(shares, torch.tensor(labels))
        # torch-uncertainty interpolates, without the guarantee.
        level = np.ceil(0.9 * (half + 1)) / half
        threshold = np.quantile(true[:half], level, method="inverted_cdf")
        sets = (scores[half:] <= threshold + 1e-12).numpy()
        hits = sets[np.arange(len(sets)), labels[half:]]
        found[name] = {
            "threshold": threshold,
            "coverage": hits.mean(),
            "mean_size": sets.sum(axis=1).mean(),
        }
    return found


def minimum(function, start):
    options = {"maxiter": 2000, "ftol": 1e-15, "gtol": 1e-10, "maxfun": 10**6}
    return minimize(function, start, method="L-BFGS-B", options=options)


def calibration(members, labels):
    """Least NLL by a factor and an offset per class, and by several temperatures."""
    logits, rows = members[:, 0], np.arange(len(labels))
    classes = logits.shape[1]

    def scaled(point):
        values = logits * point[:classes] + point[classes:]
        shares = softmax(values, axis=1)
        shares[rows, labels] -= 1
        loss = (logsumexp(values, axis=1) - values[rows, labels]).mean()
        slopes = [(shares * logits).mean(axis=0), shares.mean(axis=0)]
        return loss, np.concatenate(slopes)

    options = {"maxiter": 5000, "ftol": 1e-16, "gtol": 1e-9}
    start = np.repeat([1.0, 0.0], classes)
    vector = minimize(scaled, start, jac=True, method="L-BFGS-B", options=options)

    def of_logits(point):
        mean = (members * np.exp(point)[:, None]).mean(axis=1)
        return -log_softmax(mean, axis=1)[rows, labels].mean()

    def of_probabilities(point):
        logs = log_softmax(members * np.exp(point)[:, None], axis=2)[rows, :, labels]
        return -(logsumexp(logs, axis=1) - np.log(logs.shape[1])).mean()

    start = np.zeros(members.shape[1])
    offsets = vector.x[classes:]
    return {
        "vector_nll": vector.fun,
        "factors": vector.x[:classes].tolist(),
        "offsets": (offsets - offsets.mean()).tolist(),
        "logits_nll": minimum(of_logits, start).fun,
        "probabilities_nll": minimum(of_probabilities, start).fun,
    }


def outputs(**options):
    members, labels = plain.drawn(**options)
    logits = members[:, 0]
    shares = softmax(logits, axis=1)
    classwise = [
        float(
            binary_calibration_error(
                torch.tensor(shares[:, k]), torch.tensor(labels == k).int(), n_bins=15
            )
        )
        for k in range(shares.shape[1])
    ]
    pair = labels, logits.argmax(axis=1)
    return {
        "selective": selective(shares, labels),
        "ood": ood(members),
        "conformal": conformal(logits, labels),
        "calibration": calibration(members, labels),
        "classwise_ece": np.mean(classwise),
        "confusion": metrics.confusion_matrix(*pair).tolist(),
        "class_accuracy": metrics.recall_score(*pair, average=None).tolist(),
    }


if __name__ == "__main__":
    found = {name: outputs(**options) for name, options in plain.CASES.items()}
    PATH.write_text(json.dumps(found, indent=1, default=float) + "\n")
