"""Sets of images in .tar shards, as WebDataset has them."""

import functools
from pathlib import Path

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sets._encoded_set import EncodedSet
from keras_mixvit.data.sets._set_address import parted, whole_path
from keras_mixvit.data.sets._tar_paths import shards_of
from keras_mixvit.data.sources._tar_cache import index_of
from keras_mixvit.data.sources._tar_items import TarItems, mixes_classes

OPTIONS = ("image", "label")
NAMES = "classes.txt"
LISTED = 3


class TarSet(EncodedSet):
    """A set of `.tar` shards, with files `KEY.jpg` and `KEY.cls` or `KEY.json`.

    Labels are integers from 0, or words. A file `classes.txt` beside the shards, or
    in the folder above, lists the names of the classes, one a line.

    Args:
        name: String `wds:PATH`, of a folder or of `.tar` files, with braces as you
            like; with the options `?image=ENDING&label=FIELD`.
        data_dir: Path of a folder from which a relative path starts, or `None`.
            Defaults to `None`.
    """

    def __init__(self, name: str, data_dir=None):
        super().__init__(name)
        place, options = parted(name, OPTIONS)
        self.image, self.label = options.get("image"), options.get("label")
        self.paths = shards_of(name, whole_path(place, data_dir))
        self._found = functools.cache(self._index)

    def splits(self) -> tuple[str, ...]:
        return tuple(self.paths)

    def items(self, split: str) -> TarItems:
        index, starts = self._found(split)
        is_mixed = mixes_classes(index.codes, starts)
        return TarItems(self.paths[split], index, starts, is_mixed)

    def classes(self) -> tuple[str, ...]:
        return self._classes

    def labels(self, split: str) -> np.ndarray:
        index, _ = self._found(split)
        numbers = np.array([self._number(word) for word in index.words], "int32")
        unknown = np.flatnonzero(numbers < 0)
        if len(unknown):
            first = int(np.flatnonzero(index.codes == unknown[0])[0])
            items = self.items(split)
            shard = items.name(first)
            items.close()
            listed = f"a line of {NAMES}" if self._listed else "in the train split"
            require(
                False,
                f"Every label must be a class, {listed}.",
                name=self.name,
                image=shard,
                labels=[index.words[i] for i in unknown[:LISTED]],
            )
        return numbers[index.codes]

    def _index(self, split):
        return index_of(self.paths[split], self.image, self.label)

    def _number(self, word):
        """The class of a label, or -1."""
        place = self._places.get(word, -1)
        if place < 0 and self._are_numbers and word.isdecimal():
            return int(word) if int(word) < len(self._classes) else -1
        return place

    @functools.cached_property
    def _listed(self):
        """Names of classes in a file, or an empty tuple."""
        folder = Path(self.paths["train"][0]).parent
        for path in (folder / NAMES, folder.parent / NAMES):
            if path.is_file():
                lines = path.read_text(encoding="utf-8").splitlines()
                names = tuple(line.strip() for line in lines if line.strip())
                require(
                    0 < len(names) == len(set(names)),
                    f"{NAMES} must list the names of classes, each once.",
                    file=str(path),
                    names=len(names),
                )
                return names
        return ()

    @functools.cached_property
    def _words(self):
        return sorted(self._found("train")[0].words)

    @functools.cached_property
    def _are_numbers(self):
        """Whether labels are integers, or may be."""
        return bool(self._listed) or any(map(_is_number, self._words))

    @functools.cached_property
    def _classes(self):
        if self._listed:
            return self._listed
        if not self._are_numbers:
            return tuple(self._words)
        numbers = {int(word) if word.isdecimal() else -1 for word in self._words}
        count = len(numbers)
        missing = sorted(set(range(count)) - numbers)
        require(
            not missing,
            f"Labels must be 0 to {count - 1}, each with an image in the train split, "
            f"or a file {NAMES} must list the classes.",
            name=self.name,
            labels=self._words[:LISTED],
            missing=missing[:LISTED],
        )
        return tuple(map(str, range(count)))

    @functools.cached_property
    def _places(self):
        is_named = self._listed or not self._are_numbers
        names = self._classes if is_named else ()
        return {name: index for index, name in enumerate(names)}


def _is_number(word):
    return word.removeprefix("-").isdecimal()
