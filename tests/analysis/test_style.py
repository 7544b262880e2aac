import pytest

from keras_mixvit.analysis import weighting_curves
from keras_mixvit.analysis._style import COLOURS, style

matplotlib = pytest.importorskip("matplotlib")


def test_the_look_is_of_the_figures_and_not_of_what_the_user_draws():
    with matplotlib.rc_context({"figure.facecolor": "black", "text.color": "white"}):
        before = dict(matplotlib.rcParams)
        figure, _ = weighting_curves()
        assert dict(matplotlib.rcParams) == before
    assert figure.get_facecolor() == (1.0, 1.0, 1.0, 1.0)
    assert figure.axes[0].xaxis.label.get_color() == "black"


def test_curves_have_the_colours_of_the_palette():
    with style():
        cycle = matplotlib.rcParams["axes.prop_cycle"].by_key()["color"]
    assert tuple(cycle) == COLOURS


def test_figures_leave_pyplot_alone():
    from matplotlib import pyplot

    weighting_curves()
    assert pyplot.get_fignums() == []
