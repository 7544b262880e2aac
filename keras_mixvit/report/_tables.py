"""Tables of a report, as the page shows them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

NBSP = "\u00a0"
PERCENT = f"{NBSP}%"


@dataclass
class Table:
    """A table; its first column names the rows.

    Args:
        caption: String.
        headings: List of strings, one per column.
        rows: List of lists of strings.
        words: How many columns, from the left, hold words and not numbers. Defaults
            to `1`.
        note: String below the table. Defaults to `""`.
    """

    caption: str
    headings: list[str]
    rows: list[list[str]]
    words: int = 1
    note: str = ""


def percent(value: float | None, digits: int = 1) -> str:
    """A share in percent, or a dash; no line breaks before the sign."""
    return "–" if _is_none(value) else f"{100 * float(value or 0):.{digits}f}{PERCENT}"


def number(value: float | None, digits: int = 3) -> str:
    """A number, or a dash."""
    return "–" if _is_none(value) else f"{float(value or 0):.{digits}f}"


def count(value: float | None) -> str:
    """An integer with commas, or a dash."""
    return "–" if _is_none(value) else f"{int(value or 0):,}"


def large(value: float | None) -> str:
    """A large number in thousands, millions or billions, or a dash."""
    if _is_none(value):
        return "–"
    value = float(value or 0)
    for size, word in ((1e12, "trillion"), (1e9, "billion"), (1e6, "million")):
        if value >= size:
            return f"{value / size:.2f} {word}"
    return f"{value:,.0f}"


def duration(seconds: float) -> str:
    """A time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {rest:02d} s"


def thinned(length: int, most: int) -> np.ndarray:
    """Places of at most `most` of `length` rows, at equal distances."""
    return np.unique(np.linspace(0, length - 1, min(length, most)).round().astype(int))


def matrix(counts: Any, classes: Sequence[str]) -> dict[str, Any]:
    """A confusion matrix for the page: cells with a shade from 0 to 100.

    Args:
        counts: Integer array `(K, K)`, true classes by predicted classes.
        classes: Sequence of K names.
    """
    counts = np.asarray(counts)
    totals = counts.sum(axis=1)
    rows = []
    for true, name in enumerate(classes):
        cells = []
        for predicted in range(len(classes)):
            share = counts[true, predicted] / max(totals[true], 1)
            cells.append(
                {
                    "count": int(counts[true, predicted]),
                    # Few mistakes of a class are to be seen, too.
                    "shade": round(100 * math.sqrt(share)),
                    "is_right": true == predicted,
                    "about": f"{name} taken for {classes[predicted]}"
                    if true != predicted
                    else f"{name}, predicted right",
                }
            )
        right = counts[true, true] / totals[true] if totals[true] else None
        rows.append({"name": name, "cells": cells, "accuracy": percent(right, 0)})
    return {"classes": list(classes), "rows": rows}


def _is_none(value):
    return value is None or not math.isfinite(value)
