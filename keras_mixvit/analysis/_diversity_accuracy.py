from keras_mixvit._checks import require
from keras_mixvit.analysis._style import FigureAndNumbers, new_figure, style

NEEDED = ("accuracy", "subnetwork_accuracy", "ratio_error")


@style()
def diversity_accuracy(sweeps: dict[str, dict], parameter: str) -> FigureAndNumbers:
    """Accuracy and diversity of subnetworks against a hyperparameter.

    The left panel shows the accuracy of the ensemble and the mean accuracy of
    its subnetworks, the right panel their diversity (ratio error). Values are at
    equal distances, in their order. Needs matplotlib.

    Args:
        sweeps: Dict from the name of a curve, such as a method, to a dict from
            the value of the hyperparameter to a dict of floats as
            `subnetwork_scores` returns it: `accuracy`, `subnetwork_accuracy`
            and `ratio_error`. The paper averages the last 10 epochs.
        parameter: String, the name of the hyperparameter.

    Returns:
        A matplotlib figure, and a dict from names to dicts of lists, the
        numbers behind it: `values` and the three scores.

    Raises:
        ValueError: If there is no curve, one has no value, or a score is
            missing.

    Example:

    ```python
    rng = np.random.default_rng(0)
    labels = rng.integers(4, size=50)
    runs = {p: rng.normal(size=(50, 2, 4)) for p in (0.0, 0.5, 1.0)}
    scores = {p: subnetwork_scores(logits, labels) for p, logits in runs.items()}
    figure, numbers = diversity_accuracy({"Cut-MixMo": scores}, "p")
    assert numbers["Cut-MixMo"]["values"] == [0.0, 0.5, 1.0]
    ```

    References:
        MixMo, Sections 4.3.2, 4.3.3 and 6.8, Figs. 7, 8, 9 and 14; MixViT,
        Fig. 7.
    """
    require(
        len(sweeps) > 0 and all(len(points) > 0 for points in sweeps.values()),
        "`sweeps` must have at least one curve, and each curve at least one value.",
        sweeps=sweeps,
    )
    numbers = {name: _columns(name, points) for name, points in sweeps.items()}
    values = sorted({value for points in sweeps.values() for value in points})
    position = {value: i for i, value in enumerate(values)}
    figure = new_figure(3.0 + 0.2 * len(numbers))
    left, right = figure.subplots(1, 2)
    for name, found in numbers.items():
        positions = [position[value] for value in found["values"]]
        prefix = f"{name}, " if len(numbers) > 1 else ""
        percent = [100 * value for value in found["accuracy"]]
        (line,) = left.plot(positions, percent, "o-", label=f"{prefix}ensemble")
        left.plot(
            positions,
            [100 * value for value in found["subnetwork_accuracy"]],
            "s--",
            color=line.get_color(),
            markerfacecolor="white",
            label=f"{prefix}mean subnetwork",
        )
        right.plot(positions, found["ratio_error"], "o-")
    left.set(ylabel="accuracy (%)")
    right.set(ylabel="diversity (ratio-error)")
    for axes in (left, right):
        axes.set_xlabel(parameter)
        axes.set_xticks(
            range(len(values)), [f"{v:g}".replace("inf", "∞") for v in values]
        )
        axes.margins(y=0.15)
        axes.grid()
    figure.legend(handles=left.get_lines(), ncols=2, loc="outside upper center")
    return figure, numbers


def _columns(name, points):
    missing = {
        value: [key for key in NEEDED if key not in scores]
        for value, scores in points.items()
    }
    missing = {value: keys for value, keys in missing.items() if keys}
    require(
        not missing,
        "`sweeps` must have accuracy, subnetwork_accuracy and ratio_error at every "
        "value.",
        curve=name,
        missing=missing,
    )
    values = sorted(points)
    columns = {key: [float(points[value][key]) for value in values] for key in NEEDED}
    return {"values": values, **columns}
