import textwrap

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.analysis._style import (
    COLOURS,
    WIDTH,
    FigureAndNumbers,
    new_figure,
    style,
)
from keras_mixvit.metrics._calibration_error import bin_edges, calibration_error_of
from keras_mixvit.metrics._predictions import sample_scores

COLUMNS = 3
# Of a line of a title.
LETTERS = 32


@style()
def reliability_diagram(
    predictions: dict[str, npt.ArrayLike], labels: npt.ArrayLike, bins: int = 15
) -> FigureAndNumbers:
    """Accuracy against confidence, with the histogram of the confidences.

    The confidence is the largest probability. Bins `(lo, hi]` of equal width
    cover [0, 1]; the gap of a bin is how much its mean confidence differs from
    its accuracy, and their mean, weighted by the histogram, is the expected
    calibration error (ECE) of the title. Needs matplotlib.

    Args:
        predictions: Dict from the name of a model to its logits `(n, K)`,
            `model.predict(x)`, or `(n, M, K)`, which are averaged over M.
        labels: Integer array `(n,)`.
        bins: Integer, the number of bins. Defaults to `15`.

    Returns:
        A matplotlib figure, and a dict from names to dicts: the arrays
        `edges` `(bins + 1,)`, `counts`, `accuracy` and `confidence` `(bins,)`,
        NaN where a bin is empty, and the float `ece`.

    Raises:
        ValueError: If logits and labels do not match.

    Example:

    ```python
    logits = np.random.default_rng(0).normal(size=(100, 10))
    figure, numbers = reliability_diagram({"random": logits}, np.zeros(100, int))
    assert numbers["random"]["counts"].sum() == 100
    ```

    References:
        Guo et al., On calibration of modern neural networks, 2017; MixMo,
        Section 6.5 (ECE).
    """
    require(len(predictions) > 0, "`predictions` must not be empty.", names=[])
    require_positive_integer("bins", bins)
    numbers = {
        name: _reliability(logits, labels, bins) for name, logits in predictions.items()
    }
    columns = min(len(numbers), COLUMNS)
    rows = -(-len(numbers) // columns)
    width = min(WIDTH, 3.5 * columns)
    figure = new_figure(rows * (width / columns + 1.0) + 0.3, width)
    ratios = [3, 1] * rows
    grid = figure.subplots(
        2 * rows,
        columns,
        squeeze=False,
        sharex=True,
        sharey="row",
        height_ratios=ratios,
    )
    for axes in (
        grid.reshape(rows, 2, columns)
        .transpose(0, 2, 1)
        .reshape(-1, 2)[len(numbers) :]
        .flat
    ):
        axes.set_axis_off()
    for i, (name, found) in enumerate(numbers.items()):
        row, column = divmod(i, columns)
        upper, lower = grid[2 * row, column], grid[2 * row + 1, column]
        _draw(upper, lower, found)
        upper.set_title(
            f"{textwrap.fill(name, LETTERS)}\nECE {100 * found['ece']:.1f} %"
        )
        if column == 0:
            upper.set_ylabel("accuracy")
            lower.set_ylabel("images (%)")
        lower.set_xlabel("confidence")
        upper.tick_params(labelbottom=False)
        lower.tick_params(labelbottom=True)
    handles, names = grid[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, ncols=2, loc="outside upper center")
    return figure, numbers


def _draw(upper, lower, found):
    edges, accuracy, confidence = (
        found[key] for key in ("edges", "accuracy", "confidence")
    )
    width = np.diff(edges)
    upper.plot([0, 1], [0, 1], color="0.4", linewidth=1, linestyle="--")
    upper.bar(
        edges[:-1], accuracy, width, align="edge", color=COLOURS[0], label="accuracy"
    )
    upper.bar(
        edges[:-1],
        confidence - accuracy,
        width,
        bottom=accuracy,
        align="edge",
        # Whitens the accuracy below it where a model is not confident enough.
        facecolor=(1.0, 1.0, 1.0, 0.55),
        edgecolor=COLOURS[1],
        hatch="////",
        linewidth=0.8,
        label="gap to the confidence",
    )
    share = 100 * found["counts"] / found["counts"].sum()
    lower.bar(edges[:-1], share, width, align="edge", color="0.55", edgecolor="white")
    upper.set(xlim=(0, 1), ylim=(0, 1))
    for axes in (upper, lower):
        axes.grid(axis="y")


def _reliability(logits, labels, bins):
    found = sample_scores(logits, labels)
    edges = np.concatenate([[0.0], bin_edges(bins), [1.0]])
    positions = np.searchsorted(bin_edges(bins), found.confidence, side="left")
    counts = np.bincount(positions, minlength=bins)
    with np.errstate(invalid="ignore"):
        accuracy = np.bincount(positions, found.right, bins) / counts
        confidence = np.bincount(positions, found.confidence, bins) / counts
    return {
        "edges": edges,
        "counts": counts,
        "accuracy": accuracy,
        "confidence": confidence,
        "ece": calibration_error_of(found, bins),
    }
