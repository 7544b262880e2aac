import numpy as np
import pytest

from keras_mixvit.analysis import ensemble_effectiveness, ensemble_scores
from keras_mixvit.analysis._ensemble_effectiveness import power_law
from keras_mixvit.metrics import calibrated_nll
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(3, size=80)
NETWORKS = [np.eye(3)[LABELS][:, None] + RNG.normal(size=(80, 2, 3)) for _ in range(3)]


def test_ensembles_average_all_subnetworks_of_their_networks():
    rows = ensemble_scores(NETWORKS, LABELS, parameters=10, seed=2)
    for n, row in enumerate(rows, start=1):
        mean = np.concatenate(NETWORKS[:n], axis=1).mean(axis=1)
        assert row["networks"] == n
        assert row["parameters"] == 10 * n
        assert row["accuracy"] == pytest.approx(np.mean(mean.argmax(1) == LABELS))
        expected = calibrated_nll(mean, LABELS, seed=2)
        assert row["calibrated_nll"] == pytest.approx(expected, rel=1e-5)
    assert len(rows) == 3
    one = ensemble_scores([network[:, 0] for network in NETWORKS], LABELS, 10)
    mean = np.mean([network[:, 0] for network in NETWORKS], axis=0)
    assert one[2]["accuracy"] == pytest.approx(np.mean(mean.argmax(1) == LABELS))


@pytest.mark.parametrize(
    ("networks", "parameters", "text"),
    [
        ([], 1, r"`predictions` must be logits of one shape, .* Received: shapes=\[\]"),
        ([NETWORKS[0], NETWORKS[1][:, 0]], 1, "`predictions` must be logits of one"),
        (NETWORKS, 0, "`parameters` must be positive. Received: parameters=0"),
    ],
)
def test_bad_predictions_are_refused(networks, parameters, text):
    with pytest.raises(ValueError, match=text):
        ensemble_scores(networks, LABELS, parameters)


def test_a_power_law_is_found_again():
    costs = 1e6 * np.arange(1, 6)
    exponent, slope, limit = power_law(costs, 0.5 + 3e5 * costs**-1.0)
    assert exponent == pytest.approx(-1, abs=0.02)
    curve = limit + slope * costs**exponent
    np.testing.assert_allclose(curve, 0.5 + 3e5 / costs, atol=1e-3)
    assert limit == pytest.approx(0.5, abs=0.01)


def rows(costs, values):
    pairs = zip(costs, values, strict=True)
    return [{"parameters": c, "calibrated_nll": v, "accuracy": 0.5} for c, v in pairs]


def test_families_of_more_than_two_points_are_joined_by_power_laws(tmp_path):
    many = rows([3e6, 1e6, 2e6], [0.5, 0.9, 0.6])
    families = {"many": many, "few": rows([1e6, 2e6], [0.7, 0.65])}
    figure, numbers = ensemble_effectiveness(families)
    found = numbers["many"]
    np.testing.assert_array_equal(found["cost"], [1e6, 2e6, 3e6])
    np.testing.assert_array_equal(found["calibrated_nll"], [0.9, 0.6, 0.5])
    exponent, slope, limit = found["power_laws"]["calibrated_nll"]
    fitted = limit + slope * found["cost"] ** exponent
    np.testing.assert_allclose(fitted, found["calibrated_nll"], atol=1e-3)
    assert numbers["few"]["power_laws"] == {}
    left, right = figure.axes
    curve, points, straight, few = right.get_lines()
    assert len(curve.get_xdata()) == 100
    assert (points.get_label(), few.get_label()) == ("many", "few")
    np.testing.assert_array_equal(points.get_ydata(), found["calibrated_nll"])
    np.testing.assert_allclose(
        np.interp(found["cost"], curve.get_xdata(), curve.get_ydata()),
        found["calibrated_nll"],
        atol=2e-3,
    )
    np.testing.assert_array_equal(straight.get_ydata(), few.get_ydata())
    np.testing.assert_array_equal(left.get_lines()[1].get_ydata(), [50, 50, 50])
    assert right.get_xscale() == "log"
    assert labels_of(figure) == {
        ("parameters", "accuracy (%)"),
        ("parameters", "calibrated NLL (NLL$_c$)"),
    }
    assert_saves(figure, tmp_path)


def test_another_cost_and_score_are_taken_from_saved_numbers():
    points = [{"flops": 2.0, "nll": 1.5}, {"flops": 1.0, "nll": 2.0}]
    figure, numbers = ensemble_effectiveness({"mine": points}, ["nll"], cost="flops")
    np.testing.assert_array_equal(numbers["mine"]["nll"], [2.0, 1.5])
    assert labels_of(figure) == {("flops", "NLL")}


@pytest.mark.parametrize(
    ("families", "options", "text"),
    [
        (
            {},
            {},
            "`families` must have at least one family, and each family at least "
            "one point.",
        ),
        (
            {"mine": []},
            {},
            "`families` must have at least one family, and each family "
            "at least one point.",
        ),
        ({"mine": rows([1], [1])}, {"scores": ()}, "`scores` must not be empty"),
        (
            {"mine": rows([1], [1])},
            {"cost": "flops"},
            "`families` must have 'flops' at every point. Received: family='mine'",
        ),
        (
            {"mine": rows([0], [1])},
            {},
            r"`families` must have positive costs. .* costs=\[0.0\]",
        ),
    ],
)
def test_incomplete_families_are_refused(families, options, text):
    with pytest.raises(ValueError, match=text):
        ensemble_effectiveness(families, **options)
