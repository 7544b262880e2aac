"""Predictions as text, written one by one: a table, CSV, JSON or JSON lines."""

import csv
import json
from typing import IO, Any, Protocol

from keras_mixvit.prediction._prediction import Prediction

FORMATS = ("table", "csv", "json", "jsonl")
# Rows that decide how wide the columns of a table are.
LOOKED_AT = 50
WIDEST = 60
# Between the names of a set in one cell.
SEPARATOR = "|"


class Writer(Protocol):
    """Writes predictions, one by one."""

    def write(self, found: Prediction) -> None:
        """Writes one."""

    def close(self) -> None:
        """Writes what belongs after the last one."""


def writer_for(format: str, stream: IO[str], top: int, has_sets: bool) -> Writer:
    """A writer of a format.

    Args:
        format: String, one of `FORMATS`.
        stream: Where to write.
        top: Positive integer, how many classes a prediction names.
        has_sets: Boolean, whether there are prediction sets.
    """
    if format == "csv":
        return CSV(stream, top)
    if format == "table":
        return Table(stream, top, has_sets)
    return JSON(stream, is_array=format == "json")


class CSV:
    """One line for each image, below a line of names.

    Args:
        stream: Where to write.
        top: Positive integer, how many classes a prediction names.
    """

    def __init__(self, stream: IO[str], top: int):
        columns = ["image"]
        for k in range(1, top + 1):
            columns += [f"class_{k}", f"probability_{k}"]
        columns += ["entropy", "mutual_information", "disagreement", "unlikeness"]
        columns += ["unlike_training", "prediction_set", "error"]
        self.rows = csv.DictWriter(stream, columns, lineterminator="\n")
        self.rows.writeheader()

    def write(self, found: Prediction) -> None:
        """Writes one line."""
        row: dict[str, Any] = found.to_dict()
        for k, pair in enumerate(row.pop("top"), 1):
            row |= {
                f"class_{k}": pair["class"],
                f"probability_{k}": pair["probability"],
            }
        if row["unlike_training"] is not None:
            row["unlike_training"] = str(row["unlike_training"]).lower()
        if row["prediction_set"] is not None:
            row["prediction_set"] = SEPARATOR.join(row["prediction_set"])
        self.rows.writerow(
            {
                name: decodable(value) if isinstance(value, str) else value
                for name, value in row.items()
            }
        )

    def close(self) -> None:
        """There is nothing after the last line."""


class JSON:
    """One object for each image, in an array or one on each line.

    Args:
        stream: Where to write.
        is_array: Boolean, whether they are one array.
    """

    def __init__(self, stream: IO[str], is_array: bool):
        self.stream, self.is_array, self.count = stream, is_array, 0

    def write(self, found: Prediction) -> None:
        """Writes one line."""
        text = json.dumps(found.to_dict(), allow_nan=False)
        if self.is_array:
            before = ",\n" if self.count else "[\n"
            self.stream.write(f"{before}{text}")
        else:
            self.stream.write(f"{text}\n")
        self.count += 1

    def close(self) -> None:
        """Ends the array."""
        if self.is_array:
            self.stream.write("\n]\n" if self.count else "[]\n")


class Table:
    """Columns for the eye; the first rows decide how wide they are.

    Args:
        stream: Where to write.
        top: Positive integer, how many classes a prediction names.
        has_sets: Boolean, whether there are prediction sets.
    """

    def __init__(self, stream: IO[str], top: int, has_sets: bool):
        self.stream, self.top, self.has_sets = stream, top, has_sets
        names = ["image", "class", *(f"class {k}" for k in range(2, top + 1))]
        names += ["entropy", "mutual inf.", "disagree", "unlike training"]
        self.waiting: list[list[str]] | None = [names + ["set"] * has_sets]
        self.widths: list[int] = []

    def write(self, found: Prediction) -> None:
        """Writes one row, or keeps it until the columns are known."""
        cells = self._cells(found)
        if self.waiting is None:
            self._print(cells)
            return
        self.waiting.append(cells)
        if len(self.waiting) > LOOKED_AT:
            self.close()

    def close(self) -> None:
        """Writes the rows that were kept."""
        rows, self.waiting = self.waiting or [], None
        for column in range(max(map(len, rows), default=0)):
            # An error is no column.
            cells = [len(row[column]) for row in rows if len(row) > max(column, 2)]
            self.widths.append(min(max(cells, default=0), WIDEST))
        for row in rows:
            self._print(row)

    def _cells(self, found):
        image = printable(found.image)
        if found.error is not None:
            return [image, f"error: {printable(found.error)}"]
        pairs = zip(found.classes, found.probabilities, strict=True)
        cells = [image, *(f"{printable(name)} {share:.1%}" for name, share in pairs)]
        cells += [""] * (1 + self.top - len(cells))
        numbers = (found.entropy, found.mutual_information, found.disagreement)
        cells += ["" if number is None else f"{number:.3f}" for number in numbers]
        cells.append({None: "", True: "yes", False: "no"}[found.unlike_training])
        if self.has_sets:
            names = found.prediction_set or ()
            cells.append("{" + ", ".join(map(printable, names)) + "}")
        return cells

    def _print(self, cells):
        padded = (
            cell.ljust(width) for cell, width in zip(cells, self.widths, strict=False)
        )
        self.stream.write("  ".join(padded).rstrip() + "\n")


def decodable(text: str) -> str:
    """Text in UTF-8, whatever bytes the name of a file has."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def printable(text: str) -> str:
    """Text that leaves a terminal as it is."""
    return "".join(c if c.isprintable() else "?" for c in decodable(text))
