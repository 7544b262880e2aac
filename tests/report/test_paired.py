"""Networks compared image by image."""

from math import comb
from types import SimpleNamespace

import numpy as np
import pytest

from keras_mixvit.report._paired import paired_table, sign_test

pytestmark = pytest.mark.one_backend
LABELS = np.arange(200) % 4


@pytest.mark.parametrize(
    ("wins", "losses"), [(0, 0), (5, 5), (1, 0), (0, 6), (9, 3), (30, 55), (2, 700)]
)
def test_p_is_the_sum_of_binomial_probabilities(wins, losses):
    total, fewer = wins + losses, min(wins, losses)
    tail = sum(comb(total, k) for k in range(fewer + 1)) / 2**total
    assert sign_test(wins, losses) == pytest.approx(min(1, 2 * tail), rel=1e-9)


def network(name, wrong):
    """A network that takes some images for the next class."""
    predicted = LABELS.copy()
    predicted[wrong] = (predicted[wrong] + 1) % 4
    first = SimpleNamespace(averaged=np.eye(4)[predicted])
    return SimpleNamespace(name=name, judged=SimpleNamespace(first=first))


def runs(*all_networks):
    found = [
        SimpleNamespace(label=f"run{place}", networks=networks, own=networks[-1])
        for place, networks in enumerate(all_networks)
    ]

    def name(run, network):
        return f"{run.label}: {network}" if len(found) > 1 else network

    images = SimpleNamespace(labels=LABELS)
    return SimpleNamespace(runs=found, images=images, name=name)


def test_the_reference_is_the_last_baseline():
    single = network("single_network", range(60))
    cutmix = network("single_network + CutMix", range(30))
    own = network("mixvit", range(20, 36))
    table, rows = paired_table(runs([single, cutmix, own]))
    assert table.caption == "Compared with single_network + CutMix, image by image"
    assert [row["network"] for row in rows] == ["single_network", "mixvit"]
    assert [(row["wins"], row["losses"]) for row in rows] == [(0, 30), (20, 6)]
    values = np.r_[np.ones(20), -np.ones(6), np.zeros(174)]
    error = 1.959964 * values.std() / np.sqrt(200)
    assert rows[1]["difference"] == pytest.approx(0.07)
    assert rows[1]["low"] == pytest.approx(0.07 - error)
    assert rows[1]["high"] == pytest.approx(0.07 + error)
    expected = ["mixvit", "+7.0 (+2.1 to +11.9)", "20", "6", "0.009"]
    assert table.rows[1] == expected
    assert table.rows[0][-1] == "< 0.001"


def test_without_a_baseline_runs_are_compared_with_the_first():
    first, second = network("mixvit", range(10)), network("mixvit", range(5, 15))
    table, (row,) = paired_table(runs([first], [second]))
    assert (row["network"], row["reference"]) == ("run1: mixvit", "run0: mixvit")
    assert (row["wins"], row["losses"], row["p"]) == (5, 5, 1.0)
    assert table.rows[0][1] == "+0.0 (-3.1 to +3.1)"


def test_a_network_alone_is_compared_with_nothing():
    assert paired_table(runs([network("mixvit", range(10))])) == (None, [])
