import math
from collections.abc import Sequence

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.analysis._style import FigureAndNumbers, new_figure, style
from keras_mixvit.masks import loss_weighting

PAPER = (1, 2, 3, 4, 10, math.inf)


@style()
def weighting_curves(rs: Sequence[float] | None = None) -> FigureAndNumbers:
    """The weight of a loss against the ratio of its input, for several r.

    For two subnetworks. With r = 1 the weight is twice the ratio. The larger r
    is, the closer the weight is to 1 for every ratio. Needs matplotlib.

    Args:
        rs: Sequence of positive floats, infinity included, or `None` for the
            paper's 1, 2, 3, 4, 10 and infinity. Defaults to `None`.

    Returns:
        A matplotlib figure, and a dict of the arrays behind it: `ratios`
        `(1001,)`, and `weights`, a dict from r to `(1001,)`.

    Raises:
        ValueError: If an r is not positive, or there is none.

    Example:

    ```python
    figure, numbers = weighting_curves([1, 3])
    np.testing.assert_allclose(numbers["weights"][1], 2 * numbers["ratios"])
    ```

    References:
        MixMo, Eq. 3, Section 6.1 and Fig. 11.
    """
    from matplotlib import colormaps

    rs = PAPER if rs is None else rs
    require(
        isinstance(rs, (tuple, list, np.ndarray)) and len(rs) > 0,
        "`rs` must be a sequence of at least one number.",
        rs=rs,
    )
    ratios = np.linspace(0, 1, 1001)
    pairs = np.stack([ratios, 1 - ratios], axis=-1)
    weights = {r: loss_weighting(pairs, r)[:, 0] for r in rs}
    figure = new_figure(3.2, 4.4)
    axes = figure.subplots()
    # In order of r, a scale and not a set of names: hence a map of colours.
    positions = np.linspace(0, 0.85, len(rs))
    for position, (r, curve) in zip(positions, sorted(weights.items()), strict=True):
        label = "r → ∞" if r == math.inf else f"r = {r:g}"
        axes.plot(ratios, curve, color=colormaps["viridis"](position), label=label)
    axes.set(
        xlabel="ratio κ of the input",
        ylabel="weight of its loss",
        xlim=(0, 1),
        ylim=(0, 2),
    )
    axes.grid()
    axes.legend(loc="upper left")
    return figure, {"ratios": ratios, "weights": weights}
