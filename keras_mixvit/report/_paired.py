"""Compares networks image by image."""

import math
from typing import Any

import numpy as np

from keras_mixvit._paired_test import incomplete_beta
from keras_mixvit.report._judged_runs import JudgedRuns
from keras_mixvit.report._tables import Table, count
from keras_mixvit.training._run_rows import BASELINES
from keras_mixvit.training._study_table import p_text

# Standard errors on both sides of a mean that hold 95 % of a normal distribution.
WIDTH = 1.959964


def sign_test(wins: int, losses: int) -> float:
    """The two-sided p of the exact sign test, which is McNemar's exact test.

    Args:
        wins: Integer, the number of images that only the first network gets right.
        losses: Integer, the number of images that only the second one gets right.

    Returns:
        The probability that a fair coin falls at least as unevenly; 1 for no images.
    """
    if wins == losses:
        return 1.0
    fewer, more = sorted((wins, losses))
    return min(1.0, 2 * incomplete_beta(0.5, more, fewer + 1))


def paired_table(found: JudgedRuns) -> tuple[Table | None, list[dict[str, Any]]]:
    """Compares all networks with one, on the same images.

    The one is the last baseline of the first run, or its network if it has no
    baseline.

    Args:
        found: `JudgedRuns`.

    Returns:
        A table, or `None` for a single network, and dicts for JSON of `network`,
        `reference`, `wins`, `losses`, `difference`, `low`, `high` and `p`.
    """
    networks = [(run, network) for run in found.runs for network in run.networks]
    first = found.runs[0]
    baselines = [x for x in first.networks if x.name in BASELINES.values()]
    reference = baselines[-1] if baselines else first.own
    labels = np.asarray(found.images.labels)
    right = _right(reference, labels)
    rows: list[dict[str, Any]] = []
    for run, network in networks:
        if network is reference:
            continue
        own = _right(network, labels)
        wins, losses = int(np.sum(own & ~right)), int(np.sum(right & ~own))
        total = len(labels)
        difference = (wins - losses) / total
        variance = (wins + losses) / total - difference**2
        error = WIDTH * math.sqrt(max(0.0, variance) / total)
        rows.append(
            {
                "network": found.name(run, network.name),
                "reference": found.name(first, reference.name),
                "wins": wins,
                "losses": losses,
                "difference": difference,
                "low": difference - error,
                "high": difference + error,
                "p": sign_test(wins, losses),
            }
        )
    if not rows:
        return None, []
    other = rows[0]["reference"]
    headings = ["network", "accuracy, points", "only this network is right"]
    headings += [f"only {other} is right", "p"]
    table = Table(f"Compared with {other}, image by image", headings, [])
    for row in rows:
        low, high = (f"{100 * row[key]:+.1f}" for key in ("low", "high"))
        table.rows.append(
            [
                row["network"],
                f"{100 * row['difference']:+.1f} ({low} to {high})",
                count(row["wins"]),
                count(row["losses"]),
                p_text(row["p"]).removeprefix("p ").removeprefix("= "),
            ]
        )
    return table, rows


def _right(network, labels):
    return np.argmax(np.asarray(network.judged.first.averaged), axis=-1) == labels
