"""What a set of images holds, to look at before training."""

import dataclasses
import hashlib
import io
import os
from collections import Counter
from dataclasses import dataclass

import numpy as np

from keras_mixvit.data.sets._class_folders import ClassFolders
from keras_mixvit.data.sets._encoded_set import EncodedSet
from keras_mixvit.data.sets._load import found_set
from keras_mixvit.data.sets._split_facts import SplitFacts
from keras_mixvit.data.sources._array_checks import CHUNK
from keras_mixvit.data.sources._file_checks import for_all
from keras_mixvit.data.sources._image_files import (
    EXTENSIONS,
    decoded,
    files_below,
    header_of,
    reason,
)
from keras_mixvit.data.sources._resizing import pillow

FORM = 1


@dataclass(frozen=True)
class Inspection:
    """The results of `inspect`.

    Args:
        data: String, the name or path.
        splits: Dict from names of splits to `SplitFacts`.
        shared: List of dicts of images that are in two splits: `split`, `image`,
            `other_split`, `other_image`, and `same`, `"file"` or `"pixels"`.
        remarks: List of sentences about likely mistakes.

    Example:

    ```python
    found = inspect("digits")
    assert found.splits["train"].images == 1000 and found.is_intact
    ```
    """

    data: str
    splits: dict[str, SplitFacts]
    shared: list[dict]
    remarks: list[str]

    @property
    def is_intact(self) -> bool:
        """Whether every image can be read."""
        return not any(split.damaged for split in self.splits.values())

    def to_dict(self) -> dict:
        """The inspection as a dict, for a file."""
        splits = {name: vars(split) for name, split in self.splits.items()}
        return {
            "form": FORM,
            "data": self.data,
            "is_intact": self.is_intact,
            "splits": splits,
            "shared": self.shared,
            "remarks": self.remarks,
        }


def inspect(
    name: str | os.PathLike, data_dir: str | os.PathLike | None = None
) -> Inspection:
    """Reads a set of images once and reports what it holds.

    Files are decoded in parallel, and memory grows by a few numbers per image. A
    bar shows the progress if the standard error is a terminal.

    Args:
        name: Name of a set, or path, as `load` takes it.
        data_dir: Path of the folder with the files, or `None`. Defaults to
            `None`.

    Returns:
        An `Inspection`.

    Raises:
        ValueError: If there is no such set.

    Example:

    ```python
    found = inspect("digits")
    assert found.splits["test"].height == (8, 8, 8)
    ```
    """
    found = found_set(name, data_dir)
    kinds = {ClassFolders: _files, EncodedSet: _items}
    reader = next((r for k, r in kinds.items() if isinstance(found, k)), _arrays)
    repeats = Repeats()
    splits = {split: reader(found, split, repeats) for split in found.splits()}
    remarks = remarks_on(splits, repeats.shared)
    return Inspection(os.fspath(name), splits, repeats.shared, remarks)


def _files(found, split, repeats):
    """Facts of a split of image files."""
    folder, classes = found.folders[split], found.classes()
    listing = list(found.listing(split, classes))
    labels = [label for label, _ in listing]

    def read(index):
        name = listing[index][1]
        return name, read_content(lambda: (folder / name).read_bytes())

    texts = [found.texts.get(name, name) for name in classes]
    facts = _encoded(split, repeats, labels, texts, read)
    return dataclasses.replace(facts, ignored=ignored_files(folder))


def _items(found, split, repeats):
    """Facts of a split of images inside larger files."""
    items = found.items(split)

    def read(index):
        try:
            return items.name(index), read_content(lambda: items.content(index))
        finally:
            items.close()

    return _encoded(split, repeats, found.labels(split), found.classes(), read)


def _encoded(split, repeats, labels, classes, read):
    """Facts of contents of image files."""
    counts, colours = np.zeros(len(classes), int), Counter()
    sizes, damaged, turned, repeated = [], {}, 0, 0
    images = for_all(read, range(len(labels)), f"Reading {split}")
    for index, (name, result) in images:
        if isinstance(result, str):
            damaged[name] = result
            continue
        header, hashes = result
        counts[labels[index]] += 1
        sizes.append(header.size)
        colours[header.mode] += 1
        turned += header.orientation > 1
        repeated += repeats.note(split, name, *hashes)
    height, width = extent(sizes)
    return SplitFacts(
        int(counts.sum()),
        dict(zip(classes, counts.tolist(), strict=True)),
        height,
        width,
        dict(colours.most_common()),
        turned,
        damaged,
        repeated=repeated,
    )


def read_content(get):
    """Header and hashes of an image file that a function gives, or what is wrong."""
    Image = pillow()
    try:
        content = get()
        with Image.open(io.BytesIO(content)) as image:
            header = header_of(image)
        pixels = decoded(io.BytesIO(content), "", 3)
    except Exception as error:
        return reason(error.__cause__ or error)
    return header, (hashed(content), hashed(pixels.tobytes(), pixels.shape))


def _arrays(found, split, repeats):
    """Facts of a split of arrays, or of another source."""
    images = found.load(split, None, None, "when_read")
    pixels, count, repeated = images.images, len(images.labels), 0
    for start in range(0, count, CHUNK):
        for index, image in enumerate(pixels[start : start + CHUNK], start):
            value = hashed(np.ascontiguousarray(image).tobytes(), image.shape)
            repeated += repeats.note(split, str(index), None, value)
    height, width, channels = pixels.shape[1:]
    counts = np.bincount(images.labels, minlength=images.num_classes)
    return SplitFacts(
        count,
        dict(zip(images.class_names, counts.tolist(), strict=True)),
        (height,) * 3,
        (width,) * 3,
        {f"{pixels.dtype}, {channels} channel(s)": count},
        repeated=repeated,
    )


def hashed(content: bytes, *facts) -> int:
    """A hash of contents, of 8 bytes to save memory."""
    found = hashlib.blake2b(content, digest_size=8)
    found.update(repr(facts).encode())
    return int.from_bytes(found.digest(), "little")


class Repeats:
    """Images that were seen before, in this split or in another one."""

    def __init__(self):
        self.shared: list[dict] = []
        self._seen: dict[int, tuple] = {}
        self._within: set[tuple[str, int]] = set()

    def note(self, split, name, of_file, of_pixels) -> bool:
        """Notes an image, and returns whether its split has it already."""
        if (split, of_pixels) in self._within:
            return True
        self._within.add((split, of_pixels))
        before = self._seen.setdefault(of_pixels, (split, name, of_file))
        other_split, other, other_file = before
        if other_split == split:
            return False
        is_same = of_file is not None and of_file == other_file
        self.shared.append(
            {
                "split": other_split,
                "image": other,
                "other_split": split,
                "other_image": name,
                "same": "file" if is_same else "pixels",
            }
        )
        return False


def extent(sizes):
    """The least, median and greatest height, and width."""
    if not sizes:
        return None, None
    sizes = np.array(sizes)
    parts = np.stack([sizes.min(0), np.median(sizes, 0), sizes.max(0)]).astype(int)
    return tuple(parts[:, 0].tolist()), tuple(parts[:, 1].tolist())


def ignored_files(folder) -> dict[str, int]:
    """How many files of each suffix are not images."""
    others = (
        os.path.splitext(name)[1].lower() or "no suffix"
        for name in files_below(folder)
        if not name.lower().endswith(EXTENSIONS)
    )
    return dict(Counter(others).most_common())


def remarks_on(splits: dict[str, SplitFacts], shared: list) -> list[str]:
    """Sentences about likely mistakes."""
    found = []
    classes = splits["train"].classes
    counts = [count for count in classes.values() if count]
    if counts and max(counts) >= 3 * min(counts):
        ratio = max(counts) / min(counts)
        found.append(
            f"The largest class has {ratio:.1f} times as many images as the smallest: "
            "--set loss.class_weight=balanced gives them equal weight."
        )
    empty = [name for name, count in classes.items() if not count]
    if empty:
        found.append(f"Classes without an image to train on: {', '.join(empty[:5])}.")
    lower = Counter(name.lower() for name in classes)
    same = sorted(name for name, count in lower.items() if count > 1)
    if same:
        found.append(f"Classes that differ in case only: {', '.join(same[:5])}.")
    if shared:
        found.append(
            f"{len(shared):,} images are in two splits: scores on them are too good."
        )
    for name, split in splits.items():
        if split.damaged:
            found.append(
                f"{len(split.damaged):,} files of {name} cannot be read: "
                "--on-error skip leaves them out."
            )
    extents = [e for s in splits.values() for e in (s.height, s.width) if e is not None]
    if any(least < most for least, _, most in extents):
        found.append(
            "Images differ in size: training resizes them to one size; set it with "
            "--set data.image_size=64."
        )
    if list(splits) == ["train"]:
        found.append(
            "There is only one split: a share of it (--set data.val_share=0.1) is kept "
            "for validation, and there is no test split."
        )
    return found
