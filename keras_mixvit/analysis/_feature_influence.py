import itertools

import numpy as np
import numpy.typing as npt
from keras import ops

from keras_mixvit._checks import require
from keras_mixvit.analysis._style import MAP, WIDTH, FigureAndNumbers, new_figure, style

COLUMNS = 2


@style()
def feature_influence(kernels: dict[str, npt.ArrayLike]) -> FigureAndNumbers:
    """How strongly each subnetwork uses each feature, by the weights of the heads.

    The influence of feature j on subnetwork m is the L1 norm of its weights in
    head m, over the classes. Features on the diagonal serve two subnetworks
    equally, those at the axes only one. The paper says "rescaled to range [0,
    1]" but not how. Here the norms of each head are divided by their largest, so
    that a feature without weight has influence 0. Needs matplotlib.

    Args:
        kernels: Dict from the name of a model to the kernel `(M, f, K)` of its
            heads, `model.heads.kernel`, with M of at least 2.

    Returns:
        A matplotlib figure, one panel per model and pair of subnetworks, and a
        dict from names to dicts of arrays: `norms` `(M, f)`, `influence`
        `(M, f)`, those rescaled, and `evenness` `(f,)`, for each feature the
        smallest influence over the largest, 1 where all heads use it alike.

    Raises:
        ValueError: If a kernel has another shape, or all weights of a head are
            0.

    Example:

    ```python
    kernel = np.random.default_rng(0).normal(size=(2, 16, 10))
    figure, numbers = feature_influence({"random heads": kernel})
    assert numbers["random heads"]["influence"].max() == 1
    ```

    References:
        MixViT, Section 4.3.1, Figs. 4 and 5.
    """
    require(len(kernels) > 0, "`kernels` must not be empty.", kernels=kernels)
    numbers = {name: _influence(kernel) for name, kernel in kernels.items()}
    panels = [
        (name, pair)
        for name, found in numbers.items()
        for pair in itertools.combinations(range(len(found["norms"])), 2)
    ]
    columns = min(len(panels), COLUMNS)
    rows = -(-len(panels) // columns)
    # The scale of the colours is beside the panels.
    side = min((WIDTH - 0.9) / columns, 3.0)
    figure = new_figure((side + 0.2) * rows, side * columns + 0.9)
    figure.set_layout_engine("compressed")
    grid = figure.subplots(rows, columns, squeeze=False)
    for axes in grid.flat[len(panels) :]:
        axes.set_axis_off()
    for axes, (name, (first, second)) in zip(grid.flat, panels, strict=False):
        found = numbers[name]
        axes.plot([0, 1], [0, 1], color="0.75", linewidth=1, zorder=0)
        points = axes.scatter(
            found["influence"][first],
            found["influence"][second],
            c=_evenness(found["influence"][[first, second]]),
            cmap=MAP,
            vmin=0,
            vmax=1,
            s=14,
            linewidths=0,
        )
        axes.set(
            title=name,
            xlabel=f"influence on subnetwork {first}",
            ylabel=f"influence on subnetwork {second}",
            xlim=(-0.03, 1.03),
            ylim=(-0.03, 1.03),
            aspect="equal",
        )
    bar = figure.colorbar(points, ax=list(grid.flat), shrink=0.8)
    bar.set_label("smaller / larger influence")
    return figure, numbers


def _influence(kernel):
    kernel = ops.convert_to_numpy(ops.cast(kernel, "float32"))
    require(
        kernel.ndim == 3 and len(kernel) > 1,
        "`kernels` must have shape (M, f, K) with M of at least 2.",
        shape=kernel.shape,
    )
    norms = np.abs(kernel).sum(axis=2)
    largest = norms.max(axis=1, keepdims=True)
    require(
        np.all(largest > 0),
        "`kernels` must have weights other than 0 in every head.",
        largest=largest[:, 0].tolist(),
    )
    influence = norms / largest
    return {
        "norms": norms,
        "influence": influence,
        "evenness": _evenness(influence),
    }


def _evenness(influence):
    largest = influence.max(axis=0)
    # A feature that no head uses counts as evenly used.
    return np.where(largest > 0, influence.min(axis=0) / np.maximum(largest, 1e-30), 1)
