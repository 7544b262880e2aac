import copy

import pytest

from keras_mixvit.training._study_figures import summary
from keras_mixvit.training._study_page import page, terminal
from keras_mixvit.training._study_table import aligned, markdown, p_text

BASE = {"accuracy": 0.5, "nll": 1.25, "calibrated_nll": 1.0, "ece": 0.1}
OTHERS = {"brier": 0.5, "auroc": 0.75, "corrupted_accuracy": None}
OTHERS |= {"corrupted_calibrated_nll": None, "training_loss": 0.5, "seconds": 2.0}


def results_of(scores, **changes):
    """Of dicts from rows to lists of the scores of seeds 0, 1, ..."""
    cells = [
        {
            "row": row,
            "seed": seed,
            "scores": {**BASE, **OTHERS, **each},
            "judged": {"samples": 1500, "split": "test", "corrupted": None},
            "backend": "jax",
            "device": "1 x cpu",
            "versions": {"jax": "1.0"},
        }
        for row, found in scores.items()
        for seed, each in enumerate(found)
    ]
    costs = {"steps": 1200, "parameters": 12345}
    costs |= {"relative_training_cost": 1.0, "relative_inference_cost": 1.125}
    rows = [{"row": row, **costs, **summary(row, "a|b", cells)} for row in scores]
    return {
        **{"name": "mine", "note": "", "command": "the command", "seeds": [0, 1, 2]},
        **{"baseline": "a|b", "rows": rows, "cells": cells, "missing": []},
        "hardware": {"processor": "mine", "cores": 2, "accelerators": []},
        **changes,
    }


SEEDS = [{"accuracy": 0.50}, {"accuracy": 0.52}, {"accuracy": 0.51}]
BETTER = [{"accuracy": 0.53}, {"accuracy": 0.56}, {"accuracy": 0.52}]


def test_scores_are_mean_and_standard_deviation_and_differences_are_paired():
    text = page(results_of({"a|b": SEEDS, "other": BETTER}), None)
    assert "| a\\|b | 3 | 12,345 | 1.00 | 1.12 | 51.00 ± 1.00 | 1.250 ± 0.000 |" in text
    # 3, 4 and 1 points: t = 2.6667 / 0.8819, with two degrees of freedom.
    assert "| other | 3 | +2.67 ± 0.88 (p = 0.094) | +0.000 ± 0.000 (–) |" in text
    assert "on the 1,500 test images. Every network takes 1,200 steps." in text
    assert "corrupted" not in text
    assert "6 of 6 trainings are finished (seeds 0, 1, 2)." in text


def test_one_seed_has_no_spread_and_no_test():
    results = results_of({"a|b": SEEDS[:1], "other": BETTER[:1]})
    text = page(results, None)
    assert "| other | 1 | 12,345 | 1.00 | 1.12 | 53.00 | 1.250 |" in text
    assert "| other | 1 | +3.00 ± – | +0.000 ± – |" in text
    assert terminal(results).splitlines()[2].split()[-3:] == ["+3.00", "±", "–"]


def test_nothing_that_is_finished_is_a_page_too():
    missing = [{"row": "a|b", "seed": 0, "error": "The disk is full."}]
    text = page(results_of({"a|b": []}, missing=missing), None)
    assert "0 of 1 trainings are finished" in text
    assert "* a|b, seed 0: The disk is full." in text
    assert "Difference from" not in text


def test_a_seed_without_its_pair_is_not_compared():
    text = page(results_of({"a|b": SEEDS[:2], "other": BETTER}), None)
    assert "| other | 2 | +3.50 ± 0.50 (p = 0.090) |" in text


def test_trainings_on_different_machines_are_told():
    results = results_of({"a|b": SEEDS})
    assert "The trainings differ" not in page(results, None)
    other = copy.deepcopy(results)
    other["cells"][1]["device"] = "1 x mine"
    assert "The trainings differ in backend, device or versions." in page(other, None)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.0001, "p < 0.001"),
        (0.0123, "p = 0.012"),
        (0.0949, "p = 0.095"),
        (0.5, "p = 0.50"),
    ],
)
def test_p_has_the_digits_that_mean_something(p, text):
    assert p_text(p) == text


def test_tables_are_aligned():
    lines = [["row", "n"], ["a|b", "10"]]
    assert aligned(lines) == "row   n\na|b  10"
    assert markdown(lines) == "| row | n |\n| --- | ---: |\n| a\\|b | 10 |"
