"""Records of TFRecord files, read by their place."""

import os
import struct
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._file_checks import for_all

# A record is its length, a checksum of the length, the content, and a checksum of it.
HEADER, FOOTER = struct.Struct("<QI"), 4


class RecordIndex(NamedTuple):
    """Where the records of some TFRecord files are.

    Fields:
        places: int64 array `(n,)`, where the contents begin.
        lengths: int64 array `(n,)`, the bytes of the contents.
        starts: int64 array `(S,)`, the first record of each file.
    """

    places: np.ndarray
    lengths: np.ndarray
    starts: np.ndarray


class TFRecords(Sequence[Mapping[str, Any]]):
    """Records of TFRecord files, parsed when you index them.

    Args:
        paths: Sequence of paths of the files.
        index: `RecordIndex` of all their records.
        parse: Function from the content of a record to a mapping.

    Attributes:
        starts: The `starts` of the index, or `None` if records must be mixed as a
            whole.
    """

    def __init__(
        self,
        paths: Sequence[str],
        index: RecordIndex,
        parse: Callable[[bytes], Mapping[str, Any]],
    ):
        self.paths, self.found, self.parse = tuple(paths), index, parse
        self.starts: np.ndarray | None = index.starts

    def __len__(self):
        return len(self.found.places)

    def __getitem__(self, index: Any) -> Any:
        shard = np.searchsorted(self.found.starts, index, side="right") - 1
        path, length = self.paths[shard], int(self.found.lengths[index])
        try:
            with open(path, "rb", buffering=0) as file:
                file.seek(int(self.found.places[index]))
                content = file.read(length)
            require(len(content) == length, "Shards must not change while you train.")
            return self.parse(content)
        except Exception as error:
            record = index - int(self.found.starts[shard])
            raise ValueError(
                "Records must be intact. Received: "
                f"shard={path!r}, record={record}, error={str(error)!r}"
            ) from error


def record_index(paths: Sequence[str]) -> RecordIndex:
    """Reads where the records of TFRecord files are, not the records themselves.

    Args:
        paths: Sequence of paths.

    Raises:
        ValueError: If a file is damaged, not whole or compressed.
    """
    found = for_all(
        _places, paths, f"Reading the lengths of the records of {len(paths):,} shards"
    )
    parts = [part for _, part in found]
    places, lengths = np.concatenate(parts, axis=1)
    ends = np.cumsum([part.shape[1] for part in parts])
    return RecordIndex(places, lengths, np.append(0, ends[:-1]))


def _places(path):
    """Places and lengths `(2, n)` of the records of a file."""
    found, place = [], 0
    with open(path, "rb", buffering=0) as file:
        size = os.fstat(file.fileno()).st_size
        while place < size:
            file.seek(place)
            header = file.read(HEADER.size)
            is_intact = len(header) == HEADER.size
            if is_intact:
                length, checksum = HEADER.unpack(header)
                place += HEADER.size
                is_intact = (
                    checksum == masked_crc32c(header[:8])
                    and place + length + FOOTER <= size
                )
            require(
                is_intact,
                "Shards must be intact TFRecord files, not compressed.",
                shard=str(path),
                record=len(found),
            )
            found.append((place, length))
            place += length + FOOTER
    return np.array(found, "int64").reshape(-1, 2).T


def masked_crc32c(content: bytes) -> int:
    """The checksum of TFRecord files: a rotated CRC-32C, plus a constant."""
    found = 0xFFFFFFFF
    for byte in content:
        found = _TABLE[(found ^ byte) & 0xFF] ^ (found >> 8)
    found ^= 0xFFFFFFFF
    return (((found >> 15) | (found << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def _remainder(byte):
    for _ in range(8):
        byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
    return byte


_TABLE = tuple(map(_remainder, range(256)))
