import numpy as np
import pytest

from keras_mixvit._paired_test import (
    incomplete_beta,
    paired_test,
    spread_of,
    two_sided_p,
)

# Of t and the degrees of freedom: 2 * scipy.stats.t.sf(abs(t), df), SciPy 1.17.1.
P = {
    (0.0, 3): 1.0,
    (0.5, 1): 0.7048327646991335,
    (2.0, 2): 0.18350341907227397,
    (-2.5, 4): 0.06676654481198814,
    (3.3, 9): 0.009229908318547019,
    (0.01, 29): 0.9920897648032249,
    (12.0, 3): 0.0012450158007893362,
    (40.0, 5): 1.8411962171772954e-07,
}
# Rows of two samples: p of scipy.stats.ttest_rel, SciPy 1.17.1.
PAIRS = [
    ((97.4, 96.2, 98.2), (97.0, 96.4, 96.8), 0.37146063894529086),
    (
        (0.194, 0.234, 0.183, 0.2, 0.21),
        (0.130, 0.117, 0.120, 0.14, 0.1),
        0.0027744145112718424,
    ),
]


@pytest.mark.parametrize(("t", "degrees"), P)
def test_p_is_that_of_scipy(t, degrees):
    assert two_sided_p(t, degrees) == pytest.approx(P[t, degrees], rel=1e-9)


@pytest.mark.parametrize(("one", "other", "p"), PAIRS)
def test_a_paired_test_is_that_of_scipy(one, other, p):
    differences = np.subtract(one, other)
    found = paired_test(differences.tolist())
    assert found["p"] == pytest.approx(p, rel=1e-9)
    assert found["mean"] == pytest.approx(differences.mean())
    assert found["sd"] == pytest.approx(differences.std(ddof=1))
    assert found["se"] == pytest.approx(found["sd"] / len(one) ** 0.5)


@pytest.mark.parametrize("x", [0.0, 1e-9, 0.3, 0.7, 1.0])
def test_the_beta_function_is_symmetric_and_known_where_it_is_simple(x):
    assert incomplete_beta(x, 1, 1) == pytest.approx(x)
    assert incomplete_beta(x, 3, 1) == pytest.approx(x**3)
    both = incomplete_beta(x, 2.5, 0.5) + incomplete_beta(1 - x, 0.5, 2.5)
    assert both == pytest.approx(1)


def test_one_number_has_no_spread_and_no_test():
    nothing = {"sd": None, "se": None}
    assert spread_of([]) == {"count": 0, "mean": None, **nothing}
    assert spread_of([0.5]) == {"count": 1, "mean": 0.5, **nothing}
    assert paired_test([0.5]) == {"count": 1, "mean": 0.5, **nothing, "p": None}


def test_equal_differences_have_no_test():
    assert paired_test([0.5, 0.5])["p"] is None
