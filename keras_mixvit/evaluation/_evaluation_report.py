import json
import math
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

# Heading and form of each score, in the order of the table.
COLUMNS = {
    "accuracy": ("top 1", "percent"),
    "top5": ("top 5", "percent"),
    "nll": ("NLL", "number"),
    "calibrated_nll": ("NLL_c", "number"),
    "temperature": ("T", "number"),
    "ece": ("ECE", "percent"),
    "adaptive_ece": ("adaptive ECE", "percent"),
    "brier": ("Brier", "number"),
    "auroc": ("AUROC", "number"),
    "ratio_error": ("d_re", "number"),
    "disagreement": ("disagree", "percent"),
    "pairwise_kl": ("KL", "number"),
}


@dataclass(frozen=True)
class EvaluationReport:
    """The result of `evaluate`: a row for each judged prediction.

    Args:
        model: String, the name of the model.
        samples: Integer, the number of samples.
        rows: List of dicts: `inference`, the scheme, or `None`; `part`, such
            as `"ensemble"` or `"subnetwork 0"`; and the scores. `ratio_error`,
            `disagreement` and `pairwise_kl` compare the averaged predictions and
            are `None` if there is only one.

    Example:

    ```python
    row = {"inference": None, "part": "network", "accuracy": 0.75, "nll": 0.5}
    report = EvaluationReport("mine", samples=4, rows=[row])
    assert report.to_dict()["rows"] == [row]
    assert report.table().row_count == 1
    ```
    """

    model: str
    samples: int
    rows: list[dict]

    def table(self) -> "Table":
        """The report as a `rich.table.Table`."""
        from rich.table import Table

        table = Table(title=f"{self.model}, {self.samples:,} samples")
        table.add_column("prediction")
        columns = [
            column
            for column in COLUMNS
            if any(row.get(column) is not None for row in self.rows)
        ]
        for heading, form in (COLUMNS[column] for column in columns):
            unit = " %" if form == "percent" else ""
            table.add_column(heading + unit, justify="right")
        for row in self.rows:
            scheme = row["inference"]
            label = row["part"] if scheme is None else f"{scheme}, {row['part']}"
            table.add_row(label, *(shown(row, column) for column in columns))
        return table

    def to_dict(self) -> dict:
        """The report as a dict of numbers, strings, lists and `None`.

        Numbers that JSON does not have, NaN and infinity, become `None`.
        """
        return finite(asdict(self))

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def shown(row: dict, column: str) -> str:
    """A score as a table shows it."""
    value = row.get(column)
    if value is None:
        return ""
    if COLUMNS[column][1] == "percent":
        return f"{100 * value:.2f}"
    return f"{value:.4f}"


def finite(content):
    """Dicts and lists in which NaN and infinity are `None`."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
