import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

from keras_mixvit.evaluation._report_tables import (
    interval_table,
    ood_table,
    set_table,
    table_of,
    uncertainty_table,
)

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
    """The results of `evaluate`: one row for each evaluated prediction.

    Args:
        model: String, the name of the model.
        samples: Integer, the number of samples.
        rows: List of dicts: `inference`, the scheme, or `None`; `part`, such
            as `"ensemble"` or `"subnetwork 0"`; and the scores, of which
            `ratio_error`, `disagreement` and `pairwise_kl`, of what is
            averaged, are `None` where there is nothing to compare. `intervals`
            holds pairs (low, high), by the names of scores, if images were resampled.
        ood: List of dicts, one per set of other images, prediction and score: `set`,
            `samples`, `score`, `auroc`, `aupr_in`, `aupr_out` and `fpr95`, as
            `ood_detection` defines them. Defaults to `()`.
        conformal: List of dicts, one per prediction and method: `method`,
            `coverage`, `mean_size`, `empty`, `class_coverage`, `class_size`, and
            `fitted`, which `ConformalSets.from_dict` reads. Defaults to `()`.
        classes: Dict of what the first row predicts of each class: `samples` and
            `accuracy`, lists of K numbers, and `confusion`, a list of `[true class,
            predicted class, samples]` without zeros; or `None`. Defaults to `None`.

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
    ood: Sequence[dict] = ()
    conformal: Sequence[dict] = ()
    classes: dict | None = None

    def table(self) -> "Table":
        """The report as a `rich.table.Table`, with percent where it says so."""
        return table_of(f"{self.model}, {self.samples:,} samples", self.rows, COLUMNS)

    def tables(self) -> "list[Table]":
        """The table of `table`, and one for each thing more that was asked for.

        These are the further scores of uncertainty, intervals, the detection of images
        out of the distribution, and conformal sets.
        """
        tables = [self.table()]
        if any("classwise_ece" in row for row in self.rows):
            tables.append(uncertainty_table(self.rows))
        if any("intervals" in row for row in self.rows):
            tables.append(interval_table(self.rows, COLUMNS))
        if self.ood:
            tables.append(ood_table(self.ood))
        if self.conformal:
            tables.append(set_table(self.conformal))
        return tables

    def to_dict(self) -> dict:
        """The report as a dict of numbers, strings, lists and `None`.

        Numbers that JSON does not have, NaN and infinity, become `None`. What was
        not asked for, `ood`, `conformal` or `classes`, is not in it.
        """
        optional = ("ood", "conformal", "classes")
        content = asdict(self).items()
        return finite({key: x for key, x in content if x or key not in optional})

    def to_json(self) -> str:
        """The report as JSON."""
        return json.dumps(self.to_dict(), indent=2, allow_nan=False)


def finite(content):
    """Dicts and lists in which NaN and infinity are `None`."""
    if isinstance(content, dict):
        return {key: finite(value) for key, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content
