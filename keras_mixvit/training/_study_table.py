"""Formats the results of a study as text tables."""

from collections.abc import Sequence
from typing import Any, NamedTuple

NOTHING = "–"


class Column(NamedTuple):
    """A column of scores.

    Fields:
        score: The name of the score.
        heading: The heading of the column.
        factor: The factor by which the score is multiplied.
        digits: The number of digits after the point.
        about: One sentence that explains it.
    """

    score: str
    heading: str
    factor: int
    digits: int
    about: str


COLUMNS = (
    Column("accuracy", "accuracy %", 100, 2, "the share of right test predictions"),
    Column(
        "nll",
        "NLL",
        1,
        3,
        "the negative log-likelihood of the right class; lower is better",
    ),
    Column(
        "calibrated_nll",
        "NLL_c",
        1,
        3,
        "NLL after temperature scaling, each half of the test images with the "
        "temperature of the other half; lower is better",
    ),
    Column(
        "ece",
        "ECE %",
        100,
        2,
        "the expected calibration error in 15 bins, without temperature scaling; "
        "lower is better",
    ),
    Column(
        "brier", "Brier", 1, 3, "the Brier score, summed over classes; lower is better"
    ),
    Column(
        "auroc",
        "AUROC",
        1,
        3,
        "how well confidence separates right from wrong predictions; 0.5 is chance",
    ),
    Column(
        "corrupted_accuracy",
        "corrupted accuracy %",
        100,
        2,
        "the mean accuracy under seeded corruptions of the test images, not those of "
        "CIFAR-10-C",
    ),
    Column(
        "corrupted_calibrated_nll",
        "corrupted NLL_c",
        1,
        3,
        "the mean NLL_c under the same corruptions, each with its own temperature",
    ),
)
TRAINING = (
    Column(
        "training_loss",
        "training loss",
        1,
        3,
        "the loss of the last epoch, on mixed images",
    ),
    Column(
        "training_accuracy",
        "training accuracy %",
        100,
        2,
        "the weighted accuracy of the last epoch, on mixed training images",
    ),
    Column(
        "part_accuracy",
        "accuracy of parts %",
        100,
        2,
        "the mean test accuracy of the subnetworks, or of the members of an ensemble",
    ),
    Column(
        "disagreement",
        "disagreement %",
        100,
        2,
        "the share of test images on which two of them predict different classes",
    ),
    Column(
        "ratio_error",
        "d_re",
        1,
        3,
        "the ratio error: test images that one of two gets wrong, divided by those "
        "that both get wrong; higher is more diverse",
    ),
    Column("seconds", "seconds", 1, 0, "the seconds that one training took here"),
)


def cell_text(column: Column, found: dict[str, Any] | None) -> str:
    """Mean ± standard deviation of a score.

    Args:
        column: `Column`.
        found: Result of `spread_of`, or `None`.
    """
    if found is None or found["mean"] is None:
        return NOTHING
    text = _number(column, found["mean"])
    return text if found["sd"] is None else f"{text} ± {_number(column, found['sd'])}"


def difference_text(column: Column, found: dict[str, Any] | None) -> str:
    """Mean ± standard error of a paired difference, and p.

    Args:
        column: `Column`.
        found: Result of `paired_test`, or `None`.
    """
    if found is None or found["mean"] is None:
        return NOTHING
    text = f"{column.factor * found['mean']:+.{column.digits}f}"
    if found["se"] is None:
        return f"{text} ± {NOTHING}"
    se = _number(column, found["se"])
    p = NOTHING if found["p"] is None else p_text(found["p"])
    return f"{text} ± {se} ({p})"


def p_text(p: float) -> str:
    """The p of a test, with significant digits only."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.{3 if p < 0.1 else 2}f}"


def _number(column, value):
    return f"{column.factor * value:.{column.digits}f}"


def present(columns: Sequence[Column], rows: list[dict[str, Any]]) -> list[Column]:
    """The columns in which at least one row has a number.

    Args:
        columns: Sequence of `Column`.
        rows: List of rows of the results.
    """

    def has(row, score):
        return (row["summary"].get(score) or {}).get("mean") is not None

    return [c for c in columns if any(has(row, c.score) for row in rows)]


def seeds_text(row: dict[str, Any]) -> str:
    """The number of seeds of a row of the results, as text."""
    return str((row["summary"].get("accuracy") or {"count": 0})["count"])


def cost_text(relative: float | None) -> str:
    """A cost, as a multiple of the baseline's."""
    return NOTHING if relative is None else f"{relative:.2f}"


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Lines of words as columns: the first is left-aligned, the others right-aligned.

    Args:
        lines: Sequence of sequences of strings, the headings first.
    """
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            word.rjust(width) if i else word.ljust(width)
            for i, (word, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def markdown(lines: Sequence[Sequence[str]]) -> str:
    """Lines of words as a Markdown table.

    Args:
        lines: Sequence of sequences of strings, the headings first.
    """
    words = [[word.replace("|", "\\|") for word in line] for line in lines]
    rule = ["---", *["---:"] * (len(lines[0]) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in [words[0], rule, *words[1:]])
