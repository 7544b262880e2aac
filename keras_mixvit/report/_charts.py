"""The charts of a report: figures of `analysis`, their words and their tables."""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from keras_mixvit.analysis import (
    ood_histograms,
    reliability_diagram,
    risk_coverage_curve,
    training_curves,
)
from keras_mixvit.report._histories import CURVES
from keras_mixvit.report._svg import inline_svg, plain_text
from keras_mixvit.report._tables import Table, count, number, percent, thinned

MOST_ROWS = 21


@dataclass
class Chart:
    """A figure on the page, and its data.

    Args:
        svg: String, an `<svg>` element.
        tables: List of `Table`, the data.
        numbers: Dict for JSON.
    """

    svg: str
    tables: list[Table]
    numbers: dict[str, Any]


def curves_chart(key: str, histories: Mapping[str, Path]) -> Chart:
    """Learning curves.

    Args:
        key: String, unique on the page.
        histories: Dict from names to paths of `history.csv`, which are intact.
    """
    figure, numbers = _drawn(training_curves, dict(histories))
    last = [
        f"{name} ends at a validation accuracy of {percent(found['val_accuracy'][-1])}"
        for name, found in numbers.items()
    ]
    about = (
        "Three panels: loss on the training images, accuracy on the validation "
        f"images, and NLL on these, against the epoch. {'; '.join(last)}."
    )
    tables = []
    for name, found in numbers.items():
        rows = [
            [
                count(found["epoch"][i] + 1),
                number(found["loss"][i]),
                percent(found["val_accuracy"][i]),
                number(found["val_nll"][i]),
            ]
            for i in thinned(len(found["epoch"]), MOST_ROWS)
        ]
        headings = ["epoch", "training loss", "validation accuracy", "validation NLL"]
        tables.append(Table(f"Learning curve of {name}", headings, rows))
    kept = {
        name: {column: found[column] for column in CURVES}
        for name, found in numbers.items()
    }
    svg = inline_svg(figure, key, "Learning curves", about)
    return Chart(svg, tables, kept)


def reliability_chart(
    key: str, predictions: Mapping[str, np.ndarray], labels: np.ndarray
) -> Chart:
    """Accuracy against confidence.

    Args:
        key: String, unique on the page.
        predictions: Dict from names of networks to logits `(n, K)`.
        labels: Integer array `(n,)`.
    """
    figure, numbers = _drawn(reliability_diagram, dict(predictions), labels)
    each = [f"{name} has an ECE of {percent(x['ece'])}" for name, x in numbers.items()]
    about = (
        "A panel for each network: the accuracy of predictions with about the same "
        "confidence, the gap between both, and, below, the number of images. "
        f"{'; '.join(each)}."
    )
    tables = []
    headings = ["confidence", "images", "mean confidence", "accuracy"]
    for name, found in numbers.items():
        edges = found["edges"]
        rows = [
            [
                f"{percent(edges[i], 0)} to {percent(edges[i + 1], 0)}",
                count(found["counts"][i]),
                percent(found["confidence"][i]),
                percent(found["accuracy"][i]),
            ]
            for i in np.flatnonzero(found["counts"])
        ]
        tables.append(Table(f"Confidence and accuracy of {name}", headings, rows))
    svg = inline_svg(figure, key, "Accuracy against confidence", about)
    return Chart(svg, tables, _plain(numbers))


def coverage_chart(
    key: str, predictions: Mapping[str, np.ndarray], labels: np.ndarray
) -> Chart:
    """Errors among the images of which a network is surest.

    Args:
        key: String, unique on the page.
        predictions: Dict from names of networks to logits `(n, K)`.
        labels: Integer array `(n,)`.
    """
    figure, numbers = _drawn(risk_coverage_curve, dict(predictions), labels)
    each = [
        f"{name}: {percent(found['risk'][-1])} errors on all images"
        for name, found in numbers.items()
    ]
    about = (
        "The share of errors among the answers, against the share of images that the "
        f"network answers. {'; '.join(each)}."
    )
    first = next(iter(numbers.values()))
    places = thinned(len(first["coverage"]), MOST_ROWS)
    rows = [
        [
            percent(first["coverage"][i]),
            *(percent(found["risk"][i]) for found in numbers.values()),
        ]
        for i in places
    ]
    table = Table("Errors among the surest images", ["images answered", *numbers], rows)
    kept = {
        name: {
            "coverage": found["coverage"][places],
            "risk": found["risk"][places],
            "aurc": found["aurc"],
            "excess_aurc": found["excess_aurc"],
        }
        for name, found in numbers.items()
    }
    svg = inline_svg(figure, key, "Errors against images answered", about)
    return Chart(svg, [table], _plain(kept))


def ood_chart(
    key: str, known: Mapping[str, np.ndarray], ood: Mapping[str, Mapping]
) -> Chart:
    """Scores of images in and out of the distribution.

    Args:
        key: String, unique on the page.
        known: Dict from scores to arrays `(n,)`.
        ood: Dict from names of sets to dicts of the same scores.
    """
    figure, numbers = _drawn(ood_histograms, known, ood)
    each = [
        f"{score.replace('_', ' ')}: "
        + ", ".join(f"{name} {number(x)}" for name, x in found["auroc"].items())
        for score, found in numbers.items()
    ]
    about = (
        "A panel for each score: its histogram for the known images, in grey, and for "
        f"each set of other images. AUROC of {'; '.join(each)}."
    )
    tables = []
    for score, found in numbers.items():
        edges = found["edges"]
        digits = _digits(edges[1] - edges[0])
        rows = [
            [
                f"{number(edges[i], digits)} to {number(edges[i + 1], digits)}",
                percent(found["known"][i]),
                *(percent(shares[i]) for shares in found["ood"].values()),
            ]
            for i in range(len(edges) - 1)
        ]
        words = score.replace("_", " ")
        headings = [words, "known images", *found["ood"]]
        tables.append(Table(f"Share of the images by {words}", headings, rows))
    svg = inline_svg(figure, key, "Scores of known and of other images", about)
    return Chart(svg, tables, _plain(numbers))


def _digits(width):
    """The decimals that tell the edges of bins apart, at least three."""
    return max(3, -math.floor(math.log10(width))) if width > 0 else 3


def _drawn(function: Callable[..., Any], *arguments: Any) -> Any:
    with plain_text():
        return function(*arguments)


def _plain(content):
    """Dicts of arrays as dicts of lists, for JSON."""
    if isinstance(content, Mapping):
        return {name: _plain(value) for name, value in content.items()}
    return content.tolist() if isinstance(content, np.ndarray) else content
