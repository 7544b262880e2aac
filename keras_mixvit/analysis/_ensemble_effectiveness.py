from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.analysis._style import FigureAndNumbers, new_figure, style

LABELS = {
    "accuracy": "accuracy (%)",
    "calibrated_nll": "calibrated NLL (NLL$_c$)",
    "nll": "NLL",
}
EXPONENTS = np.linspace(-4, -0.05, 400)
MARKERS = "osD^vP"


@style()
def ensemble_effectiveness(
    families: dict[str, list[dict]],
    scores: Sequence[str] = ("accuracy", "calibrated_nll"),
    cost: str = "parameters",
) -> FigureAndNumbers:
    """Scores of ensembles of N networks against their cost.

    A family is networks of one kind and size. If it has more than two points, a
    power law `c + b cost^a` with negative a joins them, otherwise a line. Needs
    matplotlib.

    Args:
        families: Dict from the name of a family to a list of dicts, a dict for
            each N, as `ensemble_scores` returns it.
        scores: Sequence of keys of those dicts, one panel each. Defaults to
            `("accuracy", "calibrated_nll")`.
        cost: String, the key of the cost; its axis is logarithmic. Defaults to
            `"parameters"`.

    Returns:
        A matplotlib figure, and a dict from names to dicts of arrays: `cost`,
        each score, and under `"power_laws"` a dict from scores to (a, b, c).

    Raises:
        ValueError: If a family is empty, lacks a key, or has costs that are
            not positive.

    Example:

    ```python
    rng = np.random.default_rng(0)
    networks = [rng.normal(size=(50, 2, 4)) for _ in range(3)]
    rows = ensemble_scores(networks, rng.integers(4, size=50), parameters=1e6)
    figure, numbers = ensemble_effectiveness({"MixMo": rows})
    assert set(numbers["MixMo"]["power_laws"]) == {"accuracy", "calibrated_nll"}
    ```

    References:
        MixMo, Section 4.6, Fig. 10, Section 6.10 and Fig. 15; Lobacheva et
        al., On power laws in deep ensembles, 2020.
    """
    from matplotlib.ticker import EngFormatter, LogLocator

    require(
        len(families) > 0 and all(len(rows) > 0 for rows in families.values()),
        "`families` must have at least one family, and each family at least one point.",
        families=families,
    )
    require(len(scores) > 0, "`scores` must not be empty.", scores=scores)
    numbers = {
        name: _numbers(name, rows, scores, cost) for name, rows in families.items()
    }
    columns = 2 * len(scores)
    legend_rows = -(-len(numbers) // columns)
    figure = new_figure(2.8 + 0.2 * legend_rows, 3.5 * len(scores))
    panels = figure.subplots(1, len(scores), squeeze=False)[0]
    for axes, score in zip(panels, scores, strict=True):
        scale = 100 if score == "accuracy" else 1
        for i, (name, found) in enumerate(numbers.items()):
            line, values = _curve(found, score)
            marker = MARKERS[i % len(MARKERS)]
            (drawn,) = axes.plot(line, scale * values)
            look = {"color": drawn.get_color(), "linestyle": "none", "label": name}
            axes.plot(found["cost"], scale * found[score], marker, **look)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(EngFormatter(sep=" "))
        axes.minorticks_off()
        axes.set(xlabel=cost, ylabel=LABELS.get(score, score))
        axes.grid()
    points = [line for line in axes.get_lines() if line.get_marker() != "None"]
    figure.legend(handles=points, ncols=columns, loc="outside upper center")
    return figure, numbers


def _numbers(name, rows, scores, cost) -> dict[str, Any]:
    for key in (cost, *scores):
        require(
            all(key in row for row in rows),
            f"`families` must have {key!r} at every point.",
            family=name,
        )
    rows = sorted(rows, key=lambda row: row[cost])
    found = {key: np.array([row[key] for row in rows], "float64") for key in scores}
    costs = np.array([row[cost] for row in rows], "float64")
    require(
        np.all(costs > 0),
        "`families` must have positive costs.",
        family=name,
        costs=costs.tolist(),
    )
    laws = {}
    if len(np.unique(costs)) > 2:
        laws = {key: power_law(costs, values) for key, values in found.items()}
    return {"cost": costs, **found, "power_laws": laws}


def power_law(costs, values) -> tuple[float, float, float]:
    """Least-squares (a, b, c) of `values = c + b costs^a`, a from -4 to -0.05.

    Given a, the rest is linear, so a search over one number finds the best fit.
    """
    # Relative to the smallest, so that a power of millions stays in range.
    relative = costs / costs.min()
    best = (np.inf, 0.0, 0.0, 0.0)
    for exponent in EXPONENTS:
        columns = np.stack([relative**exponent, np.ones_like(relative)], axis=1)
        (slope, limit), *_ = np.linalg.lstsq(columns, values, rcond=None)
        error = np.sum((columns @ [slope, limit] - values) ** 2)
        if error < best[0]:
            best = error, exponent, slope * costs.min() ** -exponent, limit
    _, exponent, scale, limit = best
    return float(exponent), float(scale), float(limit)


def _curve(found, score):
    """Costs and values of the line of a family."""
    if score not in found["power_laws"]:
        return found["cost"], found[score]
    exponent, slope, limit = found["power_laws"][score]
    costs = np.geomspace(found["cost"].min(), found["cost"].max(), 100)
    return costs, limit + slope * costs**exponent
