import os
from array import array
from collections.abc import Iterable, Iterator

import numpy as np


class FileNames:
    """Names of many files in one string of bytes.

    A million Python strings take more than 80 MB beyond their letters; here a
    name takes 8 bytes beyond them.

    Args:
        names: Iterable of strings.
    """

    def __init__(self, names: Iterable[str]):
        letters, ends = bytearray(), array("q", [0])
        for name in names:
            letters += os.fsencode(name)
            ends.append(len(letters))
        self._letters = letters
        self._ends = np.frombuffer(ends, "int64")

    def __len__(self):
        return len(self._ends) - 1

    def __getitem__(self, index: int) -> str:
        start, end = self._ends[index], self._ends[index + 1]
        return os.fsdecode(bytes(self._letters[start:end]))

    def __iter__(self) -> Iterator[str]:
        return (self[i] for i in range(len(self)))
