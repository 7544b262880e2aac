import math

import numpy as np
import pytest

from keras_mixvit.analysis import weighting_curves
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")


def test_curves_are_those_of_the_paper(tmp_path):
    figure, numbers = weighting_curves()
    ratios = numbers["ratios"]
    assert list(numbers["weights"]) == [1, 2, 3, 4, 10, math.inf]
    for r, weights in numbers["weights"].items():
        # Eq. 3 as it stands.
        for place in (0, 1, 250, 500, 999, 1000):
            kappa = ratios[place]
            power, other = kappa ** (1 / r), (1 - kappa) ** (1 / r)
            expected = 2 * power / (power + other)
            assert weights[place] == pytest.approx(expected, abs=1e-12)
    lines = figure.axes[0].get_lines()
    names = ["r = 1", "r = 2", "r = 3", "r = 4", "r = 10", "r → ∞"]
    assert [line.get_label() for line in lines] == names
    np.testing.assert_array_equal(lines[2].get_ydata(), numbers["weights"][3])
    assert labels_of(figure) == {("ratio κ of the input", "weight of its loss")}
    assert_saves(figure, tmp_path)


def test_bad_exponents_are_refused():
    with pytest.raises(ValueError, match=r"`r` must be positive. Received: r=0"):
        weighting_curves([1, 0])
    with pytest.raises(ValueError, match="`rs` must be a sequence of at least"):
        weighting_curves([])
