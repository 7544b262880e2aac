import keras
import numpy as np
import pytest

from keras_mixvit.analysis import active_filters, filter_influence
from keras_mixvit.backbones import ConViT, WideResNet
from keras_mixvit.models import MixMo
from tests.analysis.figures import assert_saves, labels_of
from tests.helpers import numpy, set_weights

pytest.importorskip("matplotlib")


@pytest.fixture(scope="module")
def mixmo():
    model = MixMo(WideResNet((8, 8, 1), depth=10, widening=2), 5, num_subnetworks=3)
    set_weights(model)
    return model


def kernels(layer):
    return [v for v in layer.trainable_variables if v.path.endswith("kernel")]


def test_norms_of_the_encoders_filters_are_sums_of_absolute_weights(mixmo, tmp_path):
    figure, numbers = filter_influence(mixmo.stems)
    assert numbers["norms"].shape == (3, 16)
    for m, stem in enumerate(mixmo.stems):
        (kernel,) = kernels(stem)
        for f in range(16):
            expected = np.abs(numpy(kernel)[:, :, :, f]).sum()
            np.testing.assert_allclose(numbers["norms"][m, f], expected, rtol=1e-5)
    assert labels_of(figure) == {("filter", "L1 norm of the filter")}
    bars = figure.axes[0].containers
    assert [b.get_label() for b in bars] == ["encoder 0", "encoder 1", "encoder 2"]
    for m, container in enumerate(bars):
        heights = [bar.get_height() for bar in container]
        np.testing.assert_allclose(heights, numbers["norms"][m][numbers["order"]])
    ticks = [text.get_text() for text in figure.axes[0].get_xticklabels()]
    assert ticks == [str(f) for f in numbers["order"]]
    assert_saves(figure, tmp_path)


def dense(columns):
    """A layer without bias with one input, whose norms are `columns`."""
    layer = keras.layers.Dense(len(columns), use_bias=False)
    layer.build((None, 1))
    layer.kernel.assign(np.array([columns]))
    return layer


def test_filters_stand_by_the_encoder_that_leads_and_then_by_size():
    _, numbers = filter_influence([dense([1, -5, 0, 2]), dense([2, 0, 3, 1])])
    np.testing.assert_array_equal(numbers["norms"], [[1, 5, 0, 2], [2, 0, 3, 1]])
    assert numbers["order"].tolist() == [1, 3, 2, 0]


def test_many_filters_are_not_numbered():
    figure, _ = filter_influence([dense(list(range(1, 50)))] * 2)
    assert len(figure.axes[0].get_xticks()) == 0
    assert "filters" in figure.axes[0].get_xlabel()


@pytest.mark.parametrize(
    ("stems", "text"),
    [
        ([], r"`stems` must be layers with equally many filters. .*filters=\[\]"),
        ([dense([1]), dense([1, 2])], r"equally many filters. .*filters=\[1, 2\]"),
        (
            [keras.layers.ReLU(name="relu")],
            "`stems` must be built layers with one kernel each. Received: "
            "layer='relu', kernels=0",
        ),
    ],
)
def test_bad_stems_are_refused(stems, text):
    with pytest.raises(ValueError, match=text):
        filter_influence(stems)


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
