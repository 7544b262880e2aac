import numpy as np
import pytest

from keras_mixvit.analysis import training_curves
from tests.analysis.figures import assert_saves, labels_of

pytest.importorskip("matplotlib")


def write_history(path, rows):
    lines = ["epoch,accuracy,loss,val_accuracy,val_nll"]
    lines += [",".join(str(value) for value in row) for row in rows]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_training_curves_draws_and_returns_the_columns_of_the_histories(tmp_path):
    rows = [(0, 0.25, 1.5, 0.5, 0.75), (1, 0.5, 1.25, 0.625, 0.5)]
    files = {
        "one": write_history(tmp_path / "one.csv", rows),
        "other": str(write_history(tmp_path / "other.csv", rows[:1])),
    }
    figure, numbers = training_curves(files)
    assert numbers["one"] == {
        "epoch": [0.0, 1.0],
        "accuracy": [0.25, 0.5],
        "loss": [1.5, 1.25],
        "val_accuracy": [0.5, 0.625],
        "val_nll": [0.75, 0.5],
    }
    assert numbers["other"]["val_nll"] == [0.75]
    panels = zip(figure.axes, ("loss", "val_accuracy", "val_nll"), strict=True)
    for axes, column in panels:
        one, other = axes.get_lines()
        assert (one.get_label(), other.get_label()) == ("one", "other")
        np.testing.assert_array_equal(one.get_xdata(), [1, 2])
        np.testing.assert_array_equal(one.get_ydata(), numbers["one"][column])
        np.testing.assert_array_equal(other.get_ydata(), numbers["other"][column])
    assert labels_of(figure) == {
        ("epoch", "training loss"),
        ("epoch", "validation accuracy"),
        ("epoch", "validation NLL"),
    }
    assert_saves(figure, tmp_path)
