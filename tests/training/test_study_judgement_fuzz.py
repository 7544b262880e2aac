"""Damaged figures of a cell do not count, and end in no other error."""

import copy
import json
import tempfile
from pathlib import Path

import pytest
from hypothesis import strategies as st

from keras_mixvit.training._study_cells import JUDGED, Cell
from keras_mixvit.training._study_figures import figures_of, summary
from tests.damage import damages, places
from tests.properties import holds

SCORES = {
    **{"accuracy": 0.5, "nll": 1.0, "calibrated_nll": 0.9, "ece": 0.1, "brier": 0.5},
    **{"auroc": None, "disagreement": 0.25, "ratio_error": 0.5, "pairwise_kl": 0.1},
}
ROW = {"corruption": "contrast", "severity": 1, "accuracy": 0.25}
JUDGEMENT = {
    "split": "test",
    "samples": 4,
    "network": SCORES,
    "parts": [{"part": "subnetwork 0", **SCORES}],
    "corrupted": {"rows": [ROW], "mean": {"accuracy": 0.25, "nll": None}},
}
RESULT = {"backend": "jax", "rows": [], "versions": {"jax": "1"}, "seconds": 1.5}


def check(content: bytes):
    with tempfile.TemporaryDirectory() as folder:
        cell = Cell("one", 0, Path(folder), 'name = "mine"\n', corruptions=True)
        (cell.folder / "result.json").write_text(json.dumps(RESULT))
        (cell.folder / JUDGED).write_bytes(content)
        found = figures_of(cell)
        if found is not None:
            scores = summary("one", "one", [found])["summary"]
            assert scores["accuracy"]["count"] == 1
        return found


def test_an_intact_file_counts():
    found = check(json.dumps(JUDGEMENT).encode())
    assert found["scores"]["accuracy"] == 0.5
    assert found["scores"]["corrupted_accuracy"] == 0.25
    assert found["scores"]["part_accuracy"] == 0.5


@holds(few=60, many=2000, damage=damages())
def test_damaged_text_is_read_or_does_not_count(damage):
    check(damage(json.dumps(JUDGEMENT).encode()))


@pytest.mark.parametrize("place", list(places(JUDGEMENT)))
@pytest.mark.parametrize("value", [None, "a", [1], {"a": 1}, True, 1e400])
def test_values_of_another_kind_are_read_or_do_not_count(place, value):
    content = copy.deepcopy({"all": JUDGEMENT})
    at = content
    for key in ("all", *place)[:-1]:
        at = at[key]
    at[("all", *place)[-1]] = value
    check(json.dumps(content["all"]).encode())


@holds(few=5, many=50, text=st.text())
def test_a_history_that_is_none_has_no_training_loss(text):
    with tempfile.TemporaryDirectory() as folder:
        cell = Cell("one", 0, Path(folder), 'name = "mine"\n', corruptions=True)
        (cell.folder / "result.json").write_text(json.dumps(RESULT))
        (cell.folder / JUDGED).write_text(json.dumps(JUDGEMENT))
        (cell.folder / "history.csv").write_text(text, errors="replace")
        assert figures_of(cell)["scores"]["training_loss"] is None
