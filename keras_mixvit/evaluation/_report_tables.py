"""The tables of a report."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

# Heading and form of each score, in the order of a table.
Columns = Mapping[str, tuple[str, str]]
UNCERTAINTY: Columns = {
    "aurc": ("AURC", "small"),
    "excess_aurc": ("e-AURC", "small"),
    "risk_at_80": ("risk at coverage 80", "percent"),
    "coverage_at_5": ("coverage at risk 5", "percent"),
    "classwise_ece": ("classwise ECE", "small percent"),
    "calibrated_nll": ("NLL_c", "number"),
    "calibrated_nll_vector": ("NLL_c, vector", "number"),
    "calibrated_nll_subnetworks": ("NLL_c, subnetworks", "number"),
}
OOD: Columns = {
    "auroc": ("AUROC", "number"),
    "aupr_in": ("AUPR-in", "number"),
    "aupr_out": ("AUPR-out", "number"),
    "fpr95": ("FPR at TPR 95", "percent"),
}
SETS: Columns = {
    "coverage": ("coverage", "percent"),
    "mean_size": ("mean size", "number"),
    "empty": ("empty", "percent"),
}


def table_of(
    title: str, rows: Sequence[dict], columns: Columns, also: Sequence[str] = ()
) -> "Table":
    """A table of rows, without columns that are empty.

    Args:
        title: String.
        rows: Sequence of dicts.
        columns: Heading and form of each score.
        also: Further keys whose words stand before the scores. Defaults to `()`.
    """
    from rich.table import Table

    table = Table(title=title)
    for heading in ("prediction", *also):
        table.add_column(heading)
    chosen = [
        column for column in columns if any(row.get(column) is not None for row in rows)
    ]
    for heading, form in (columns[column] for column in chosen):
        unit = " %" if form.endswith("percent") else ""
        table.add_column(heading + unit, justify="right")
    for row in rows:
        cells = (shown(row, column, columns[column][1]) for column in chosen)
        table.add_row(label_of(row), *(str(row[key]) for key in also), *cells)
    return table


def uncertainty_table(rows: Sequence[dict]) -> "Table":
    """Selective classification, and calibration by more than one temperature."""
    return table_of("Selective classification and calibration", rows, UNCERTAINTY)


def ood_table(rows: Sequence[dict]) -> "Table":
    """How images out of the distribution are detected."""
    return table_of("Out-of-distribution images", rows, OOD, ("set", "score"))


def set_table(rows: Sequence[dict]) -> "Table":
    """Coverage and size of conformal sets."""
    wanted = rows[0]["fitted"]["coverage"]
    title = f"Conformal prediction sets for a coverage of {100 * wanted:g} %"
    return table_of(title, rows, SETS, ("method",))


def interval_table(rows: Sequence[dict], columns: Columns) -> "Table":
    """The intervals of the first prediction and of its parts, a row per score."""
    from rich.table import Table

    first = [row for row in rows if row["inference"] == rows[0]["inference"]]
    table = Table(title="95 % bootstrap intervals: other test images, the same model")
    table.add_column("score")
    for row in first:
        table.add_column(label_of(row), justify="right")
    for column, (heading, form) in {**columns, **UNCERTAINTY}.items():
        if any(column in row.get("intervals", {}) for row in first):
            unit = " %" if form.endswith("percent") else ""
            cells = (_with_interval(row, column, form) for row in first)
            table.add_row(heading + unit, *cells)
    return table


def label_of(row: dict) -> str:
    """What a row is called: the scheme, if there are several, and the part."""
    scheme = row["inference"]
    return row["part"] if scheme is None else f"{scheme}, {row['part']}"


def shown(row: dict, column: str, form: str) -> str:
    """The text of a score in a table."""
    value = row.get(column)
    return "" if value is None else _text(value, form)


def _text(value, form):
    if form == "percent":
        return f"{100 * value:.2f}"
    if form == "small percent":
        return f"{100 * value:.4f}"
    return f"{value:.5f}" if form == "small" else f"{value:.4f}"


def _with_interval(row, column, form):
    if column not in row.get("intervals", {}):
        return ""
    low, high = (_text(value, form) for value in row["intervals"][column])
    return f"{_text(row[column], form)} [{low}, {high}]"
