from collections.abc import Sequence

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.analysis._style import (
    FigureAndNumbers,
    new_figure,
    style,
    subnetwork_colour,
)


@style()
def filter_influence(stems: Sequence[keras.layers.Layer]) -> FigureAndNumbers:
    """L1 norms of the filters of the M input encoders.

    If each encoder writes to its own channels, as the paper finds, each filter
    is far from zero in only one encoder. Filters are grouped by the encoder with
    the largest norm, the largest first. Needs matplotlib.

    Args:
        stems: Sequence of M built layers, each with one kernel, the filters
            last: `model.stems`.

    Returns:
        A matplotlib figure, and a dict of the arrays behind it: `norms`
        `(M, F)`, in the order of the layers' filters, and `order` `(F,)`, the
        indices of the filters from left to right.

    Raises:
        ValueError: If a layer has no kernel or several, or their shapes
            differ.

    Example:

    ```python
    model = MixMo(WideResNet((8, 8, 1), depth=10, widening=1), num_classes=10)
    figure, numbers = filter_influence(model.stems)
    assert numbers["norms"].shape == (2, 16)
    ```

    References:
        MixMo, Section 3.4 and Fig. 4a.
    """
    each = [filter_norms(_kernel(stem)) for stem in stems]
    require(
        len(each) > 0 and len({len(norm) for norm in each}) == 1,
        "`stems` must be layers with the same number of filters.",
        filters=[len(norm) for norm in each],
    )
    norms = np.stack(each)
    order = np.lexsort((-norms.max(axis=0), norms.argmax(axis=0)))
    figure = new_figure(2.6)
    axes = figure.subplots()
    positions = np.arange(len(order))
    width = 0.84 / len(norms)
    for m, norm in enumerate(norms):
        axes.bar(
            positions + (m - (len(norms) - 1) / 2) * width,
            norm[order],
            width,
            color=subnetwork_colour(m),
            label=f"encoder {m}",
        )
    axes.set(xlabel="filter", ylabel="L1 norm of the filter")
    if len(order) <= 32:
        axes.set_xticks(positions, [str(i) for i in order])
    else:
        axes.set_xlabel("filters, by the encoder with the largest norm")
        axes.set_xticks([])
    axes.margins(x=0.01)
    axes.grid(axis="y")
    axes.legend(ncols=len(norms), loc="lower right", bbox_to_anchor=(1, 1))
    return figure, {"norms": norms, "order": order}


def filter_norms(kernel) -> np.ndarray:
    """L1 norms `(F,)` of the filters of a kernel `(..., F)`."""
    kernel = keras.ops.convert_to_numpy(keras.ops.cast(kernel, "float32"))
    return np.abs(kernel).reshape(-1, kernel.shape[-1]).sum(axis=0)


def _kernel(stem):
    found = [variable for variable in stem.weights if variable.name == "kernel"]
    require(
        len(found) == 1,
        "`stems` must be built layers with one kernel each.",
        layer=stem.name,
        kernels=len(found),
    )
    return found[0]
