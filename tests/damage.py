"""Damage to files, and whether readers leave files and folders alone."""

import contextlib
import hashlib
from pathlib import Path

from hypothesis import strategies as st


@st.composite
def damages(draw):
    """A function that damages bytes: cuts, flips, overwrites or inserts."""
    kind = draw(st.sampled_from(["cut", "flip", "overwrite", "insert", "drop"]))
    places = draw(st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=4))
    value = draw(st.binary(min_size=1, max_size=12))
    bit = draw(st.integers(0, 7))

    def damaged(content: bytes) -> bytes:
        found = bytearray(content)
        for place in places:
            at = int(place * len(found))
            if kind == "cut":
                return bytes(found[:at])
            if not found:
                break
            if kind == "flip":
                found[at] ^= 1 << bit
            elif kind == "overwrite":
                found[at : at + len(value)] = value
            elif kind == "insert":
                found[at:at] = value
            else:
                del found[at : at + len(value)]
        return bytes(found)

    return damaged


@contextlib.contextmanager
def untouched(folder):
    """Requires a folder to hold the same files with the same content as before."""
    before = contents(folder)
    yield
    assert contents(folder) == before


def contents(folder) -> dict[str, str]:
    """The sums of all files of a folder by their paths."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        if path.is_file()
        else "folder"
        for path in sorted(Path(folder).rglob("*"))
    }


def places(tree, place=()):
    """Paths of all values of nested dicts and lists."""
    yield place
    items = ()
    if isinstance(tree, (dict, list)):
        items = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, value in items:
        yield from places(value, (*place, key))
