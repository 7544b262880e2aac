import numpy as np
import pytest

from keras_mixvit.analysis import reliability_diagram
from keras_mixvit.metrics import calibration_error
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")

RNG = np.random.default_rng(0)
LABELS = RNG.integers(4, size=200)
LOGITS = 2 * (np.eye(4)[LABELS] + RNG.normal(size=(200, 4)))


def by_hand(logits, labels, bins):
    """Counts, accuracies and confidences of the bins, one image at a time."""
    members = [[] for _ in range(bins)]
    for row, label in zip(logits, labels, strict=True):
        probabilities = np.exp(row) / np.exp(row).sum()
        confidence = probabilities.max()
        (place,) = (b for b in range(bins) if b / bins < confidence <= (b + 1) / bins)
        members[place].append((confidence, probabilities.argmax() == label))
    counts = [len(found) for found in members]
    means = [np.mean(found, axis=0) if found else [np.nan] * 2 for found in members]
    confidence, accuracy = np.transpose(means)
    return counts, accuracy, confidence


@pytest.mark.parametrize("bins", [15, 10])
def test_bins_have_the_accuracies_and_confidences_of_their_images(bins, tmp_path):
    figure, numbers = reliability_diagram({"mine": LOGITS}, LABELS, bins)
    counts, accuracy, confidence = by_hand(LOGITS, LABELS, bins)
    found = numbers["mine"]
    np.testing.assert_array_equal(found["counts"], counts)
    np.testing.assert_allclose(found["accuracy"], accuracy)
    np.testing.assert_allclose(found["confidence"], confidence)
    gaps = np.nan_to_num(np.abs(accuracy - confidence))
    assert found["ece"] == pytest.approx(np.average(gaps, weights=counts))
    assert found["ece"] == pytest.approx(calibration_error(LOGITS, LABELS, bins))
    upper, lower = figure.axes
    assert upper.get_title() == f"mine\nECE {100 * found['ece']:.1f} %"
    bars, gap_bars = upper.containers
    np.testing.assert_allclose([b.get_height() for b in bars], accuracy)
    tops = [b.get_y() + b.get_height() for b in gap_bars]
    np.testing.assert_allclose(tops, confidence)
    shares = [b.get_height() for b in lower.containers[0]]
    np.testing.assert_allclose(shares, np.array(counts) / 2)
    assert labels_of(figure) == {("", "accuracy"), ("confidence", "images (%)")}
    assert_saves(figure, tmp_path)


def test_four_models_take_two_rows_and_subnetworks_are_averaged(tmp_path):
    members = np.stack([LOGITS, LOGITS[:, ::-1]], axis=1)
    models = {"a": LOGITS, "b": members, "c": members.mean(1), "d": LOGITS}
    figure, numbers = reliability_diagram(models, LABELS)
    assert numbers["b"]["ece"] == pytest.approx(numbers["c"]["ece"])
    shown = [axes.get_title()[0] for axes in figure.axes if axes.get_title()]
    assert shown == ["a", "b", "c", "d"]
    # Two rows of three places, of which two are empty.
    assert len([axes for axes in figure.axes if not axes.axison]) == 4
    assert_saves(figure, tmp_path)


def test_predictions_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="`labels` must be one integer"):
        reliability_diagram({"mine": LOGITS}, LABELS[:-1])
    with pytest.raises(ValueError, match="`bins` must be an integer of at least 1"):
        reliability_diagram({"mine": LOGITS}, LABELS, 0)
    with pytest.raises(ValueError, match="`predictions` must not be empty"):
        reliability_diagram({}, LABELS)


def test_a_confidence_between_two_bins_belongs_to_the_lower_one():
    _, numbers = reliability_diagram({"even": np.zeros((3, 2))}, [0, 0, 1], bins=2)
    assert numbers["even"]["counts"].tolist() == [3, 0]
