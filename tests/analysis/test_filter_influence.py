import keras
import numpy as np
import pytest

from keras_mixvit.analysis import filter_influence
from tests.analysis.figures import assert_saves, kernels, labels_of
from tests.helpers import numpy

pytest.importorskip("matplotlib")


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
        ([], r"`stems` must be layers with the same number of filters. .*filters=\[\]"),
        ([dense([1]), dense([1, 2])], r"same number of filters. .*filters=\[1, 2\]"),
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
