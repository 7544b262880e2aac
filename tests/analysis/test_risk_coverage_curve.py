import numpy as np
import pytest

from keras_mixvit.analysis import risk_coverage_curve
from keras_mixvit.metrics import aurc, excess_aurc, risk_coverage
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(4, size=2500)
LOGITS = 2 * (np.eye(4)[LABELS] + RNG.normal(size=(2500, 4)))


def test_lines_are_the_curves_of_the_models(tmp_path):
    members = np.stack([LOGITS, LOGITS[:, ::-1]], axis=1)
    models = {"mine": LOGITS[:200], "both": members[:200]}
    figure, numbers = risk_coverage_curve(models, LABELS[:200])
    (axes,) = figure.axes
    lines = axes.lines[:-1:2], axes.lines[1:-1:2]
    for line, dashed, (name, logits) in zip(*lines, models.items(), strict=True):
        coverage, risk = risk_coverage(logits, LABELS[:200])
        found = numbers[name]
        np.testing.assert_array_equal(found["coverage"], coverage)
        np.testing.assert_array_equal(found["risk"], risk)
        assert found["aurc"] == aurc(logits, LABELS[:200])
        assert found["excess_aurc"] == excess_aurc(logits, LABELS[:200])
        np.testing.assert_allclose(line.get_xdata(), 100 * coverage)
        np.testing.assert_allclose(line.get_ydata(), 100 * risk)
        assert line.get_label() == f"{name}, AURC {100 * found['aurc']:.2f} %"
        best = dashed.get_ydata() / 100
        assert best.mean() == pytest.approx(found["aurc"] - found["excess_aurc"])
        assert best[-1] == pytest.approx(found["risk"][-1])
    assert labels_of(figure) == {("coverage (%)", "risk (%)")}
    assert_saves(figure, tmp_path)


def test_many_images_are_thinned():
    figure, numbers = risk_coverage_curve({"mine": LOGITS}, LABELS)
    assert len(numbers["mine"]["risk"]) == 2500
    line = figure.axes[0].lines[0]
    assert len(line.get_xdata()) == 1000
    assert line.get_xdata()[-1] == 100


def test_predictions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`labels` must be one integer"):
        risk_coverage_curve({"mine": LOGITS}, LABELS[:-1])
    with pytest.raises(ValueError, match="`predictions` must not be empty"):
        risk_coverage_curve({}, LABELS)
