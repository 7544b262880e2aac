from collections.abc import Sequence

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.analysis._filter_influence import filter_norms
from keras_mixvit.analysis._style import FigureAndNumbers, new_figure, style


@style()
def active_filters(
    bodies: dict[str, keras.Model], thresholds: Sequence[float] = (0.2, 0.3, 0.4, 0.5)
) -> FigureAndNumbers:
    """Share of the filters of a network that are active, against the threshold.

    A filter is active if its L1 norm is at least the threshold times that of
    the largest filter of its convolution. As in the published code, shares are
    averaged over the convolutions, each counting alike, and the 1 x 1
    convolutions of the shortcuts are left out; the paper says "across all
    filters". Needs matplotlib.

    Args:
        bodies: Dict from the name of a network to a built layer or model that
            holds its convolutions, such as `model.body`.
        thresholds: Sequence of floats in [0, 1], where the curves have marks.
            Defaults to `(0.2, 0.3, 0.4, 0.5)`.

    Returns:
        A matplotlib figure, and a dict from names to dicts of arrays: `shares`
        `(T,)`, of the T thresholds, `per_convolution` `(L, T)`, and `paths`,
        the list of the L kernels.

    Raises:
        ValueError: If a threshold is out of its range, or a network has no
            convolution that is larger than 1 x 1.

    Example:

    ```python
    backbone = WideResNet((8, 8, 1), depth=10, widening=1)
    figure, numbers = active_filters({"as initialised": backbone.body})
    assert numbers["as initialised"]["shares"].shape == (4,)
    ```

    References:
        MixMo, Section 3.4, Fig. 4b, Section 6.2 and Table 7.
    """
    require(len(bodies) > 0, "`bodies` must not be empty.", bodies=bodies)
    marks = np.asarray(thresholds, "float64")
    require(
        marks.ndim == 1 and np.all((marks >= 0) & (marks <= 1)),
        "`thresholds` must be a sequence of numbers in [0, 1].",
        thresholds=thresholds,
    )
    figure = new_figure(3.0, 4.6)
    axes = figure.subplots()
    numbers, fine = {}, np.linspace(0, 1, 201)
    for name, body in bodies.items():
        found = _convolutions(name, body)
        norms = [filter_norms(variable) for variable in found]
        per_convolution = np.stack([_active(norm, marks) for norm in norms])
        shares = per_convolution.mean(axis=0)
        curve = np.mean([_active(norm, fine) for norm in norms], axis=0)
        (line,) = axes.plot(fine, 100 * curve, label=name)
        axes.plot(marks, 100 * shares, "o", color=line.get_color())
        numbers[name] = {
            "shares": shares,
            "per_convolution": per_convolution,
            "paths": [variable.path for variable in found],
        }
    axes.set(
        xlabel="threshold, relative to the largest filter",
        ylabel="active filters (%)",
        xlim=(0, 1),
        ylim=(0, 103),
    )
    axes.grid()
    axes.legend()
    return figure, numbers


def _active(norms, thresholds):
    return np.mean(norms >= thresholds[:, None] * norms.max(), axis=1)


def _convolutions(name, body):
    found = [
        variable
        for variable in body.weights
        if variable.name == "kernel"
        and len(variable.shape) == 4
        and max(variable.shape[:2]) > 1
    ]
    require(
        len(found) > 0,
        "`bodies` must have convolutions larger than 1 x 1.",
        body=name,
    )
    return found
