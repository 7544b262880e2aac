"""Sets of Hugging Face `datasets`."""

import functools
import os
from pathlib import Path
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sets._encoded_set import EncodedSet
from keras_mixvit.data.sets._hub_columns import (
    column_of,
    image_column,
    indices_of,
    known_values,
    label_column,
)
from keras_mixvit.data.sets._set_address import is_local, parted, whole_path
from keras_mixvit.data.sources._hub_rows import HubRows

SPLIT_NAMES = {
    "train": ("train",),
    "val": ("validation", "valid", "val", "dev"),
    "test": ("test",),
}
OPTIONS = ("image", "label", "config", "train", "val", "test")


class HubSet(EncodedSet):
    """A set of Hugging Face `datasets` with images and labels.

    Its tables stay on the disk and are mapped into memory.

    Args:
        name: String `hf:PLACE`, the place being `owner/name` on the hub, or a path
            of a folder or `.parquet` file; with options such as
            `?image=img&label=fine_label&config=...`. The options `train`, `val` and
            `test` name splits that are called otherwise.
        data_dir: Path of the folder that keeps sets of the hub, or from which a
            relative path starts, or `None`. Defaults to `None`.
    """

    def __init__(self, name: str, data_dir=None):
        super().__init__(name)
        place, self.options = parted(name, OPTIONS)
        self._found: dict[str, np.ndarray] = {}
        self.tables = self._named(
            tables_of(place, self.options.get("config"), data_dir)
        )

    @property
    def unlabelled(self) -> tuple[str, ...]:
        """The splits in which no image has a label."""
        return tuple(s for s in self.tables if (self._indices(s) == -1).all())

    def splits(self) -> tuple[str, ...]:
        unlabelled = self.unlabelled
        return tuple(split for split in self.tables if split not in unlabelled)

    def classes(self) -> tuple[str, ...]:
        feature = self.tables["train"].features[self._label]
        names = getattr(feature, "names", None)
        return tuple(str(name) for name in (names or self._values))

    def items(self, split: str) -> HubRows:
        table = self.tables[split]
        wanted = self.options.get("image")
        column = image_column(self.name, dict(table.features), wanted)
        return HubRows(column_of(table, column))

    def labels(self, split: str) -> np.ndarray:
        found = self._indices(split)
        missing, others = np.flatnonzero(found == -1), np.flatnonzero(found == -2)
        require(
            not len(missing),
            "Every image must have a label.",
            name=self.name,
            split=split,
            without=len(missing),
            first=f"row {missing[0]}" if len(missing) else None,
        )
        require(
            not len(others),
            "Every label must be a class of the train split.",
            name=self.name,
            split=split,
            others=len(others),
            first=f"row {others[0]}" if len(others) else None,
        )
        return found

    def _named(self, tables):
        """The table of each split that the set has."""
        named = {}
        for split, names in SPLIT_NAMES.items():
            wanted = self.options.get(split)
            require(
                wanted is None or wanted in tables,
                f"`{split}` of `name` must be one of the splits "
                f"{', '.join(map(repr, tables))}.",
                name=self.name,
            )
            held = [wanted] if wanted else [name for name in names if name in tables]
            if held:
                named[split] = tables[held[0]]
        require(
            "train" in named,
            "`name` must be a set with the split 'train', or say which one is for "
            "training, as hf:PLACE?train=SPLIT.",
            name=self.name,
            splits=sorted(tables),
        )
        return named

    @functools.cached_property
    def _label(self):
        wanted = self.options.get("label")
        return label_column(self.name, self.tables["train"], wanted)

    @functools.cached_property
    def _values(self):
        train = self.tables["train"]
        feature = train.features[self._label]
        return known_values(feature, column_of(train, self._label))

    def _indices(self, split):
        """The class of every row, looked up once."""
        if split not in self._found:
            table = self.tables[split]
            found = np.full(len(table), -1)
            if self._label in table.features:
                found = indices_of(column_of(table, self._label), self._values)
            self._found[split] = found
        return self._found[split]


def tables_of(place: str, config: str | None, data_dir) -> dict[str, Any]:
    """The tables of a set by the names of its splits.

    Args:
        place: String, the name of a set on the hub, or a path.
        config: String, the name of a part of the set, or `None`.
        data_dir: Path of a folder, or `None`.
    """
    try:
        import datasets
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "Sets of Hugging Face need datasets: "
            f'pip install "keras_mixvit[hf]" ({error}).'
        ) from error
    if is_local(place):
        path = whole_path(place, data_dir)
        return _local(datasets, path, config)
    keeps: Any = None if data_dir is None else os.fspath(data_dir)
    try:
        return dict(datasets.load_dataset(place, config, cache_dir=keeps))
    except Exception as error:
        near = f" Write 'hf:./{place}' for the path." if os.path.exists(place) else ""
        raise OSError(
            f"'hf:{place}' could not be loaded ({_first_line(error)}). It must be the "
            "name of a set on the Hugging Face hub, and you need a network, unless it "
            "was downloaded before. Without one, save it elsewhere by "
            "`save_to_disk(FOLDER)` of datasets, and name the folder, as "
            f"'hf:/FOLDER'.{near}"
        ) from error


def _local(datasets, path, config):
    require(
        os.path.exists(path),
        "`name` must be hf: followed by an existing folder or .parquet file.",
        name=f"hf:{path}",
    )
    saved = [Path(path, name).is_file() for name in ("dataset_dict.json", "state.json")]
    try:
        if any(saved):
            found = datasets.load_from_disk(path)
        elif os.path.isfile(path):
            found = datasets.load_dataset("parquet", data_files={"train": path})
        else:
            found = datasets.load_dataset(path, config)
    except Exception as error:
        raise ValueError(
            "`name` must be hf: followed by a folder of intact tables, or by an intact "
            f".parquet file. Received: name='hf:{path}', error={_first_line(error)!r}"
        ) from error
    # A folder of one table is a set of one split.
    return dict(found) if isinstance(found, dict) else {"train": found}


def _first_line(error):
    error = error.__cause__ or error
    return str(error).strip().split("\n")[0] or type(error).__name__
