from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.analysis._style import (
    COLOURS,
    GREY,
    WIDTH,
    FigureAndNumbers,
    legend_shape,
    new_figure,
    style,
)
from keras_mixvit.metrics import ood_detection

COLUMNS = 3


@style()
def ood_histograms(
    known: Mapping[str, npt.ArrayLike],
    ood: Mapping[str, Mapping[str, npt.ArrayLike]],
    bins: int = 30,
) -> FigureAndNumbers:
    """Histograms of scores of images in and out of the distribution.

    A panel per score shows, in grey, the images of the distribution, and a line per set
    of other images. The less they overlap, the better the score tells them apart; the
    AUROC of the title is the chance that it is higher for another image than for one of
    the distribution. Needs matplotlib.

    Args:
        known: Dict from names of scores to arrays `(n,)`, the `ood_scores` of images of
            the distribution.
        ood: Dict from names of sets of other images to dicts with the same scores,
            arrays `(m,)`.
        bins: Positive integer, the number of bins of equal width. Defaults to `30`.

    Returns:
        A matplotlib figure, and a dict from scores to dicts: `edges` `(bins + 1,)`,
        `known`, the share of images in each bin `(bins,)`, `ood`, a dict of the same
        of each set, and `auroc`, a dict of floats.

    Raises:
        ValueError: If there is no score or no set, or the scores of a set are others.

    Example:

    ```python
    rng = np.random.default_rng(0)
    known = ood_scores(3 * rng.normal(size=(100, 10)))
    noise = ood_scores(rng.normal(size=(50, 10)))
    figure, numbers = ood_histograms(known, {"noise": noise})
    assert numbers["entropy"]["auroc"]["noise"] > 0.5
    ```

    References:
        Hendrycks and Gimpel, A Baseline for Detecting Misclassified and
        Out-of-Distribution Examples in Neural Networks, 2017; Liu et al.,
        Energy-based Out-of-distribution Detection, 2020, Figure 1.
    """
    require_positive_integer("bins", bins)
    require(len(known) > 0, "`known` must not be empty.", scores=[])
    require(len(ood) > 0, "`ood` must not be empty.", sets=[])
    for name, scores in ood.items():
        require(
            set(scores) == set(known),
            "`ood` must have the scores of `known` for every set.",
            set=name,
            scores=list(scores),
            known=list(known),
        )
    numbers = {
        score: _histograms(
            values, {name: scores[score] for name, scores in ood.items()}, bins
        )
        for score, values in known.items()
    }
    columns = min(len(numbers), COLUMNS)
    rows = -(-len(numbers) // columns)
    width = WIDTH if columns > 1 else 4.0
    in_legend, more = legend_shape(["known", *ood], width, 4)
    figure = new_figure(2.3 * rows + 0.4 + more, width)
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(numbers) :]:
        axes.set_axis_off()
    for axes, (score, found) in zip(grid.flat, numbers.items(), strict=False):
        _draw(axes, found)
        axes.set_xlabel(score.replace("_", " "))
        axes.set_title(
            "AUROC " + ", ".join(f"{value:.3f}" for value in found["auroc"].values())
        )
    for axes in grid[:, 0]:
        axes.set_ylabel("images (%)")
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=in_legend, loc="outside upper center")
    return figure, numbers


def _draw(axes, found):
    edges = found["edges"]
    axes.stairs(
        100 * found["known"], edges, fill=True, color=GREY, alpha=0.6, label="known"
    )
    for i, (name, shares) in enumerate(found["ood"].items()):
        colour = COLOURS[i % len(COLOURS)]
        axes.stairs(100 * shares, edges, color=colour, linewidth=1.6, label=name)
    axes.set_xlim(edges[0], edges[-1])
    axes.grid(axis="y")


def _histograms(known, ood, bins):
    known = np.asarray(known, "float64")
    sets = {name: np.asarray(values, "float64") for name, values in ood.items()}
    edges = np.histogram_bin_edges(np.concatenate([known, *sets.values()]), bins)

    def shares(values):
        return np.histogram(values, edges)[0] / len(values)

    return {
        "edges": edges,
        "known": shares(known),
        "ood": {name: shares(values) for name, values in sets.items()},
        "auroc": {
            name: ood_detection(known, values)["auroc"] for name, values in sets.items()
        },
    }
