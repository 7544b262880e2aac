import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require
from keras_mixvit.analysis._style import (
    COLOURS,
    GREY,
    FigureAndNumbers,
    legend_shape,
    new_figure,
    style,
)
from keras_mixvit.metrics._aurc import aurc_of, best_risks, excess_aurc_of
from keras_mixvit.metrics._predictions import sample_scores
from keras_mixvit.metrics._risk_coverage import curve_of

# More points than a figure has pixels.
POINTS = 1000
# Inches.
SIDE = 5.0
BEST = "best confidence"


@style()
def risk_coverage_curve(
    predictions: dict[str, npt.ArrayLike], labels: npt.ArrayLike
) -> FigureAndNumbers:
    """Risk against coverage: errors where only the most confident answers count.

    A line per model shows the share of errors (risk) among the most confident images,
    against their share of all images (coverage). At the right end all images are
    answered. The lower a line is on its way there, the better the confidence tells
    errors apart; the area under it is the AURC of the legend. The dashed line is the
    best that any confidence could do with the predictions of the model. Needs
    matplotlib.

    Args:
        predictions: Dict from the name of a model to its logits `(n, K)`,
            `model.predict(x)`, or `(n, M, K)`, whose mean is shown.
        labels: Integer array `(n,)`.

    Returns:
        A matplotlib figure, and a dict from names to dicts: the arrays `coverage` and
        `risk` `(n,)`, and the floats `aurc` and `excess_aurc`.

    Raises:
        ValueError: If logits and labels do not match.

    Example:

    ```python
    logits = np.random.default_rng(0).normal(size=(100, 10))
    figure, numbers = risk_coverage_curve({"random": logits}, np.zeros(100, int))
    assert numbers["random"]["coverage"][-1] == 1
    ```

    References:
        Geifman and El-Yaniv, Selective Classification for Deep Neural Networks,
        2017, Figure 1.
    """
    require(len(predictions) > 0, "`predictions` must not be empty.", names=[])
    scores = {name: sample_scores(each, labels) for name, each in predictions.items()}
    numbers = {name: _curve(each) for name, each in scores.items()}
    labels_of = {
        name: f"{name}, AURC {100 * found['aurc']:.2f} %"
        for name, found in numbers.items()
    }
    columns, more = legend_shape([*labels_of.values(), BEST], SIDE, 2)
    figure = new_figure(3.6 + more, SIDE)
    axes = figure.subplots()
    for i, (name, found) in enumerate(numbers.items()):
        colour = COLOURS[i % len(COLOURS)]
        coverage, risk = _thinned(found["coverage"], found["risk"])
        axes.plot(100 * coverage, 100 * risk, color=colour, label=labels_of[name])
        coverage, best = _thinned(found["coverage"], best_risks(scores[name]))
        axes.plot(100 * coverage, 100 * best, color=colour, linewidth=1, linestyle="--")
    axes.plot([], [], color=GREY, linewidth=1, linestyle="--", label=BEST)
    axes.set(xlabel="coverage (%)", ylabel="risk (%)", xlim=(0, 100))
    axes.set_ylim(bottom=0)
    axes.grid()
    figure.legend(loc="outside upper center", ncols=columns)
    return figure, numbers


def _curve(scores):
    coverage, risk = curve_of(scores)
    return {
        "coverage": coverage,
        "risk": risk,
        "aurc": aurc_of(scores),
        "excess_aurc": excess_aurc_of(scores),
    }


def _thinned(coverage, risk):
    places = np.linspace(0, len(risk) - 1, min(len(risk), POINTS)).round().astype(int)
    return coverage[places], risk[places]
