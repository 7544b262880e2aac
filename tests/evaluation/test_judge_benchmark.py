"""`benchmarks/evaluation.py` runs to its end in small."""

import importlib
from pathlib import Path

import numpy as np
import pytest

pytestmark = pytest.mark.one_backend

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.parametrize("everything", [False, True])
def test_measures_every_part(everything, monkeypatch):
    monkeypatch.syspath_prepend(str(FOLDER))
    benchmark = importlib.import_module("evaluation")
    monkeypatch.setattr(benchmark, "REPLICATES", 3)
    found = benchmark.judge(*benchmark.drawn(60, 5, 2), everything)
    parts = {"mean of the subnetworks", "the ensemble", "the subnetworks"}
    if everything:
        parts |= {"conformal sets", "classes", "images out of the distribution"}
    assert set(found) == parts
    assert all(np.isfinite(seconds).all() for seconds in found.values())
