import numpy as np
import pytest

from keras_mixvit.report._tables import (
    count,
    duration,
    large,
    matrix,
    number,
    percent,
    thinned,
)

pytestmark = pytest.mark.one_backend


def test_numbers_in_words():
    assert percent(0.9712) == "97.1\u00a0%"
    assert percent(np.float32(0.5), 0) == "50\u00a0%"
    assert number(0.12345) == "0.123"
    assert count(12345) == "12,345"
    assert [large(x) for x in (950, 2.5e6, 7.1e9, 3e12)] == [
        "950",
        "2.50 million",
        "7.10 billion",
        "3.00 trillion",
    ]
    for shown in (percent, number, count, large):
        assert shown(None) == shown(float("nan")) == shown(float("inf")) == "–"
        assert shown(0) != "–"


def test_durations_in_words():
    assert duration(3.21) == "3.2 s"
    assert duration(59.97) == "60.0 s"
    assert duration(61.4) == "1 min 01 s"
    assert duration(3 * 3600 + 125) == "3 h 02 min"


def test_rows_are_thinned_evenly():
    assert thinned(3, 21).tolist() == [0, 1, 2]
    assert thinned(1, 21).tolist() == [0]
    assert thinned(101, 11).tolist() == list(range(0, 101, 10))


def test_the_matrix_shades_shares_of_rows():
    found = matrix([[3, 1, 0], [0, 0, 0], [0, 0, 4]], ["a", "b", "c"])
    first, empty, last = found["rows"]
    assert found["classes"] == ["a", "b", "c"]
    assert [cell["count"] for cell in first["cells"]] == [3, 1, 0]
    assert [cell["shade"] for cell in first["cells"]] == [87, 50, 0]
    assert [cell["is_right"] for cell in first["cells"]] == [True, False, False]
    assert first["cells"][1]["about"] == "a taken for b"
    assert first["cells"][0]["about"] == "a, predicted right"
    assert (first["accuracy"], last["accuracy"]) == ("75\u00a0%", "100\u00a0%")
    # A class without images has no accuracy.
    assert empty["accuracy"] == "–"
    assert {cell["shade"] for cell in empty["cells"]} == {0}
