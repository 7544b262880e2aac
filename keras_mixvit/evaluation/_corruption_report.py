import json
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from keras_mixvit.evaluation._evaluation_report import COLUMNS, finite
from keras_mixvit.evaluation._report_tables import shown

if TYPE_CHECKING:
    from rich.table import Table

SCORES = ("accuracy", "nll", "ece")


@dataclass(frozen=True)
class CorruptionReport:
    """The result of `evaluate_corrupted`: a row per corruption and severity.

    Args:
        model: String, the name of the model.
        name: String, the name of the set.
        rows: List of dicts: `corruption`, `severity`, `accuracy`, `nll` and
            `ece` of the ensemble.

    Example:

    ```python
    scores = {"accuracy": 0.5, "nll": 1.5, "ece": 0.1}
    rows = [{"corruption": "fog", "severity": s, **scores} for s in (1, 5)]
    report = CorruptionReport("mine", "cifar100", rows)
    assert report.mean(corruption="fog")["nll"] == 1.5
    ```
    """

    model: str
    name: str
    rows: list[dict]

    def mean(self, **chosen: str | int) -> dict[str, float]:
        """Plain means of the scores over rows.

        Args:
            **chosen: `corruption` or `severity` of the rows to take; without
                these, all rows.

        Returns:
            Dict of `accuracy`, `nll` and `ece`.
        """
        rows = [
            row
            for row in self.rows
            if all(row[key] == value for key, value in chosen.items())
        ]
        return {score: float(np.mean([row[score] for row in rows])) for score in SCORES}

    def means(self) -> list[dict]:
        """Means of each corruption, of each severity, and of all rows."""
        found = []
        for key in ("corruption", "severity"):
            found += [
                {key: value, **self.mean(**{key: value})}
                for value in dict.fromkeys(row[key] for row in self.rows)
            ]
        return [*found, self.mean()]

    def table(self) -> "Table":
        """The means as a `rich.table.Table`."""
        from rich.table import Table

        table = Table(title=f"{self.model}, {self.name} corrupted")
        table.add_column("mean of")
        for heading in ("top 1 %", "NLL", "ECE %"):
            table.add_column(heading, justify="right")
        for row in self.means():
            label = row.get("corruption", "all")
            if "severity" in row:
                label = f"severity {row['severity']}"
            table.add_row(
                label, *(shown(row, score, COLUMNS[score][1]) for score in SCORES)
            )
        return table

    def to_dict(self) -> dict:
        """Rows and means as a dict; NaN and infinity become `None`."""
        return finite({**asdict(self), "means": self.means()})

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)
