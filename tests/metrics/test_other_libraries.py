"""What scikit-learn, SciPy and torchmetrics compute of the same predictions."""

import json
from pathlib import Path

import pytest

from keras_mixvit import metrics
from tests.metrics import plain

STORED = json.loads((Path(__file__).parent / "metric_outputs.json").read_text())


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
