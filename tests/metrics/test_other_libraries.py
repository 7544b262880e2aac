"""What scikit-learn, SciPy and torchmetrics compute of the same predictions."""

import json
from pathlib import Path

import numpy as np
import pytest

from keras_mixvit import metrics
from keras_mixvit.metrics import ConformalSets
from tests.metrics import plain

FOLDER = Path(__file__).parent
STORED = json.loads((FOLDER / "metric_outputs.json").read_text())
UNCERTAINTY = json.loads((FOLDER / "uncertainty_outputs.json").read_text())


@pytest.mark.parametrize("name", sorted(plain.CASES))
def test_functions_agree(name):
    members, labels = plain.drawn(**plain.CASES[name])
    single = members[:, 0], labels
    found = {
        "accuracy": metrics.accuracy(*single),
        "top3": metrics.accuracy(*single, k=3),
        "nll": metrics.nll(*single),
        "brier": metrics.brier(*single),
        "auroc": metrics.auroc(*single),
        "temperature": metrics.fit_temperature(*single),
        "ratio_error": metrics.ratio_error(members, labels),
        "disagreement": metrics.disagreement(members),
        "pairwise_kl": metrics.pairwise_kl(members),
    }
    expected = dict(STORED[name])
    # torchmetrics computes it in float32.
    error = metrics.calibration_error(*single)
    assert error == pytest.approx(expected.pop("ece"), abs=1e-6)
    assert found == pytest.approx(expected, rel=1e-6)


@pytest.fixture(params=sorted(plain.CASES))
def case(request):
    """Predictions of several subnetworks, of the first, labels, and what is stored."""
    members, labels = plain.drawn(**plain.CASES[request.param])
    return members, members[:, 0], labels, UNCERTAINTY[request.param]


def test_selective_classification_agrees(case):
    _, logits, labels, stored = case
    coverage, risk = metrics.risk_coverage(logits, labels)
    found = {
        # The area of torch-uncertainty is another one of the same curve.
        "aurc_trapezoid": np.trapezoid(risk, coverage) / (1 - 1 / len(labels)),
        "aurc": metrics.aurc(logits, labels),
        "excess_aurc": metrics.excess_aurc(logits, labels),
        "risk_at_80": metrics.risk_at_coverage(logits, labels),
        "coverage_at_5": metrics.coverage_at_risk(logits, labels),
    }
    expected = {
        name: np.nan_to_num(value) for name, value in stored["selective"].items()
    }
    assert found == pytest.approx(expected, abs=1e-6)


def test_detection_agrees(case):
    members, _, labels, stored = case
    border = 2 * len(labels) // 3
    scores = metrics.ood_scores(members)
    for name, expected in stored["ood"].items():
        known, unknown = scores[name][:border], scores[name][border:]
        found = metrics.ood_detection(known, unknown)
        other = metrics.ood_detection(known, unknown, positive="out")
        found["fpr95_out"] = other["fpr95"]
        found["mean"] = scores[name].mean()
        found["square"] = np.square(scores[name]).mean()
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-6), name


@pytest.mark.parametrize("method", ["lac", "aps", "raps"])
def test_conformal_sets_agree(case, method):
    _, logits, labels, stored = case
    half = len(labels) // 2
    options = {"penalty": 0.05, "free_rank": 2} if method == "raps" else {}
    fitted = ConformalSets.fit(
        logits[:half], labels[:half], method, randomised=False, **options
    )
    sizes, hits = fitted.sizes_and_hits(logits[half:], labels[half:])
    found = {"threshold": fitted.threshold}
    found |= {"coverage": hits.mean(), "mean_size": sizes.mean()}
    assert found == pytest.approx(stored["conformal"][method], abs=1e-6)


def test_calibration_agrees(case):
    members, logits, labels, stored = case
    expected = stored["calibration"]
    factors, offsets = metrics.fit_vector_scaling(logits, labels, penalty=0)
    found = metrics.nll(factors * logits + offsets, labels)
    assert found == pytest.approx(expected["vector_nll"], abs=1e-6)
    # Where NLL is that flat, factors are known to fewer digits.
    assert factors == pytest.approx(np.array(expected["factors"]), rel=5e-3, abs=5e-3)
    centred = offsets - offsets.mean()
    assert centred == pytest.approx(np.array(expected["offsets"]), rel=5e-3, abs=5e-3)
    for kind in ("logits", "probabilities"):
        found = metrics.fit_subnetwork_temperatures(members, labels, kind, penalty=0)
        values = members / found[:, None]
        mean = values
        if kind == "probabilities":
            shares = np.exp(values - values.max(axis=2, keepdims=True))
            shares /= shares.sum(axis=2, keepdims=True)
            mean = np.log(shares.mean(axis=1))
        found = metrics.nll(mean, labels)
        assert found == pytest.approx(expected[f"{kind}_nll"], abs=1e-6)


def test_classes_agree(case):
    _, logits, labels, stored = case
    error = metrics.classwise_calibration_error(logits, labels)
    # torchmetrics computes it in float32.
    assert error == pytest.approx(stored["classwise_ece"], abs=1e-6)
    assert metrics.confusion_matrix(logits, labels).tolist() == stored["confusion"]
    found = metrics.class_accuracy(logits, labels)
    assert found == pytest.approx(np.array(stored["class_accuracy"]), abs=1e-12)
