import numpy as np
import pytest

from keras_mixvit.analysis import active_filters
from keras_mixvit.backbones import ConViT
from tests.analysis.figures import assert_saves, kernels, labels_of
from tests.helpers import numpy


def test_active_filters_are_counted_in_each_convolution_but_shortcuts(mixmo, tmp_path):
    thresholds = (0.7, 0.8, 0.95)
    figure, numbers = active_filters({"body": mixmo.body}, thresholds)
    found = numbers["body"]
    every = kernels(mixmo.body)
    counted = [v for v in every if tuple(v.shape[:2]) == (3, 3)]
    # Three blocks of two convolutions; three shortcuts of 1 x 1 are left out.
    assert (len(counted), len(every)) == (6, 9)
    assert found["paths"] == [v.path for v in counted]
    for row, variable in zip(found["per_convolution"], counted, strict=True):
        weights = numpy(variable)
        norms = [np.abs(weights[..., f]).sum() for f in range(weights.shape[-1])]
        for share, threshold in zip(row, thresholds, strict=True):
            active = sum(norm >= threshold * max(norms) for norm in norms)
            assert share == pytest.approx(active / len(norms))
    # Each convolution counts alike, though they have 32, 64 and 128 filters.
    np.testing.assert_allclose(found["shares"], found["per_convolution"].mean(0))
    assert 0 < found["shares"][2] < found["shares"][0]
    curve, marks = figure.axes[0].get_lines()
    assert curve.get_label() == "body"
    np.testing.assert_allclose(marks.get_ydata(), 100 * found["shares"])
    np.testing.assert_allclose(
        np.interp(thresholds, curve.get_xdata(), curve.get_ydata()),
        100 * found["shares"],
        atol=3,
    )
    assert labels_of(figure) == {
        ("threshold, relative to the largest filter", "active filters (%)")
    }
    assert_saves(figure, tmp_path)


def test_all_filters_are_active_at_0_and_only_the_largest_at_1(mixmo):
    _, numbers = active_filters({"body": mixmo.body}, (0.0, 1.0))
    expected = np.mean([1 / n for n in (32, 32, 64, 64, 128, 128)])
    np.testing.assert_allclose(numbers["body"]["shares"], [1, expected])


def test_networks_without_convolutions_and_bad_thresholds_are_refused(mixmo):
    text = "`bodies` must have convolutions larger than 1 x 1. Received: body='vit'"
    with pytest.raises(ValueError, match=text):
        active_filters({"vit": ConViT((4, 4, 1), 2, 8, 2, 1, 1).body})
    with pytest.raises(ValueError, match="`bodies` must not be empty"):
        active_filters({})
    text = r"`thresholds` must be a sequence of numbers in \[0, 1\]. Received: .*1.5"
    with pytest.raises(ValueError, match=text):
        active_filters({"body": mixmo.body}, (0.2, 1.5))
