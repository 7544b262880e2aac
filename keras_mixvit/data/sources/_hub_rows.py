import os
from pathlib import Path
from typing import Any, Self

import numpy as np


class HubRows:
    """Images of a table of Hugging Face `datasets`, which is mapped into memory.

    Args:
        column: Column of the table, of the contents of image files, or of structs
            with `bytes` or the `path` of a file.
        rows: Integer array of the rows to take, ascending, or `None` for all.
            Defaults to `None`.
    """

    shards = None

    def __init__(self, column: Any, rows: np.ndarray | None = None):
        self.column, self.rows = column, rows

    def __len__(self):
        return len(self.column if self.rows is None else self.rows)

    def name(self, index: int) -> str:
        return f"row {self._row(index)}"

    def content(self, index: int) -> bytes:
        found = self.column[self._row(index)].as_py()
        if isinstance(found, dict):
            content, path = found.get("bytes"), found.get("path")
            found = content
            if content is None and path is not None and os.path.isfile(path):
                found = Path(path).read_bytes()
        if not found:
            raise ValueError("the row holds no image")
        return found

    def taken(self, chosen: np.ndarray) -> Self:
        rows = chosen if self.rows is None else self.rows[chosen]
        return type(self)(self.column, rows)

    def places_of(self, names: set[str]) -> np.ndarray:
        rows = np.arange(len(self)) if self.rows is None else self.rows
        numbers = [name.removeprefix("row ") for name in names]
        wanted = [int(number) for number in numbers if number.isdecimal()]
        return np.flatnonzero(np.isin(rows, wanted))

    def close(self) -> None:
        """Nothing is open but the table."""

    def _row(self, index):
        return int(index if self.rows is None else self.rows[index])
