"""Which columns of a table are images and labels, and what the labels are."""

from typing import Any

import numpy as np

from keras_mixvit._checks import require

INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
STRINGS = ("string", "large_string")


def image_column(name: str, features: dict, wanted: str | None) -> str:
    """The column of images: the one that is wanted, or the only one.

    Args:
        name: String, the set that errors name.
        features: Dict from columns to features of `datasets`.
        wanted: Name of a column, or `None`.
    """
    from datasets import Image

    declared = [key for key, kind in features.items() if isinstance(kind, Image)]
    raw = [key for key, kind in features.items() if _is_content(kind)]
    return _chosen(name, features, wanted, "image", declared or raw, declared + raw)


def label_column(name: str, table: Any, wanted: str | None) -> str:
    """The column of labels: the one that is wanted, or the only one.

    Without a `ClassLabel`, it is the only column of integers or strings that has at
    most half as many values as rows.

    Args:
        name: String, the set that errors name.
        table: `datasets.Dataset`.
        wanted: Name of a column, or `None`.
    """
    from datasets import ClassLabel

    features = table.features
    declared = [key for key, kind in features.items() if isinstance(kind, ClassLabel)]
    plain = [
        key
        for key, kind in features.items()
        if getattr(kind, "dtype", None) in INTEGERS + STRINGS and key not in declared
    ]
    found = declared
    if not declared and wanted is None:
        found = [
            key
            for key in plain
            if 2 * len(column_of(table, key).unique()) <= len(table)
        ]
    return _chosen(name, features, wanted, "label", found, declared + plain)


def column_of(table: Any, name: str) -> Any:
    """A column of a `datasets.Dataset`, as Arrow maps it into memory."""
    return table.data.column(name)


def known_values(feature: Any, column: Any) -> list:
    """The values of a label by the index of their class, of all rows of a column."""
    if getattr(feature, "names", None) is not None:
        return list(range(len(feature.names)))
    return sorted(value for value in column.unique().to_pylist() if not _missing(value))


def indices_of(column: Any, values: list) -> np.ndarray:
    """Index among some values of every row, -1 for a missing label, -2 for another."""
    places = {value: index for index, value in enumerate(values)}
    found = [np.empty(0, "int32")]
    for chunk in column.chunks:
        coded = chunk.dictionary_encode()
        own = coded.dictionary.to_pylist()
        indices = [-1 if _missing(v) else places.get(v, -2) for v in own]
        # The last one is for rows without a value.
        numbers = np.array([*indices, -1], "int32")
        codes = coded.indices.fill_null(len(own))
        found.append(numbers[codes.to_numpy(zero_copy_only=False)])
    return np.concatenate(found)


def _missing(value):
    return value is None or value == -1 or value == ""


def _is_content(kind):
    if isinstance(kind, dict):
        return set(kind) == {"bytes", "path"}
    return getattr(kind, "dtype", None) in ("binary", "large_binary")


def _chosen(name, features, wanted, role, found, possible):
    if wanted is not None:
        require(
            wanted in possible,
            f"`{role}` of `name` must be a column of {role}s, one of "
            f"{', '.join(map(repr, possible)) or 'none'}.",
            name=name,
            columns=sorted(features),
        )
        return wanted
    require(
        found,
        f"`name` must be a set with a column of {role}s.",
        name=name,
        columns=sorted(features),
    )
    require(
        len(found) == 1,
        f"`name` must say which column holds the {role}s, as hf:PLACE?{role}=COLUMN.",
        name=name,
        candidates=found,
    )
    return found[0]
