import csv
from pathlib import Path

from keras_mixvit.analysis._style import (
    WIDTH,
    FigureAndNumbers,
    legend_shape,
    new_figure,
    style,
)


@style()
def training_curves(histories: dict) -> FigureAndNumbers:
    """Loss, validation accuracy and validation NLL against the epoch.

    Needs matplotlib.

    Args:
        histories: Dict from the name of a model to the path of the
            `history.csv` that its training wrote.

    Returns:
        A matplotlib figure, and a dict from names to dicts of lists, the
        numbers behind it.

    Example:

    ```python
    figure, numbers = training_curves({"MixViT": "runs/mine/history.csv"})
    ```
    """
    numbers = {name: read_history(path) for name, path in histories.items()}
    panels = {
        "loss": "training loss",
        "val_accuracy": "validation accuracy",
        "val_nll": "validation NLL",
    }
    columns, more = legend_shape(numbers, WIDTH, 4)
    figure = new_figure(2.7 + more)
    for axes, (column, title) in zip(
        figure.subplots(1, 3), panels.items(), strict=True
    ):
        for name, history in numbers.items():
            epochs = [epoch + 1 for epoch in history["epoch"]]
            axes.plot(epochs, history[column], label=name)
        axes.set(xlabel="epoch", ylabel=title)
        axes.grid()
    lines = axes.get_lines()
    figure.legend(handles=lines, ncols=columns, loc="outside upper center")
    return figure, numbers


def read_history(path) -> dict[str, list[float]]:
    """Columns of a `history.csv` that Keras's `CSVLogger` wrote."""
    with Path(path).open(newline="") as file:
        rows = list(csv.DictReader(file))
    return {column: [float(row[column]) for row in rows] for column in rows[0]}
