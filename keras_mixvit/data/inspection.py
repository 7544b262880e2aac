"""What a set of images holds, before anything is trained on it."""

import hashlib
import io
import os
from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from keras_mixvit.data.array_checks import CHUNK
from keras_mixvit.data.class_folders import ClassFolders
from keras_mixvit.data.file_checks import for_all
from keras_mixvit.data.image_files import (
    EXTENSIONS,
    decoded,
    files_below,
    header_of,
)
from keras_mixvit.data.load import found_set
from keras_mixvit.data.resizing import pillow

FORM = 1


@dataclass
class SplitFacts:
    """What one split holds.

    Args:
        images: Integer, images that can be read.
        classes: Dict from the name of each class to its number of images.
        height: Tuple of integers, the least, the median and the greatest.
        width: Tuple of integers, likewise.
        colours: Dict from colour modes, or dtypes and channels, to numbers of
            images.
        turned: Integer, photos whose camera was not held upright.
        damaged: Dict from names of files to what is wrong with them.
        ignored: Dict from suffixes to numbers of files that are no images.
        repeated: Integer, images whose pixels stand in the split before.
    """

    images: int = 0
    classes: dict[str, int] = field(default_factory=dict)
    height: tuple[int, int, int] | None = None
    width: tuple[int, int, int] | None = None
    colours: dict[str, int] = field(default_factory=dict)
    turned: int = 0
    damaged: dict[str, str] = field(default_factory=dict)
    ignored: dict[str, int] = field(default_factory=dict)
    repeated: int = 0


@dataclass
class Inspection:
    """What `inspect` found.

    Args:
        data: String, the name or path.
        splits: Dict from names of splits to `SplitFacts`.
        shared: List of dicts of images that stand in two splits: `split`,
            `image`, `other_split`, `other_image`, and `same`, `"file"` or
            `"pixels"`.
        remarks: List of sentences about what is likely to be a mistake.

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
        """What a file of the inspection holds."""
        splits = {name: vars(split) for name, split in self.splits.items()}
        return {
            "form": FORM,
            "data": self.data,
            "is_intact": self.is_intact,
            "splits": splits,
            "shared": self.shared,
            "remarks": self.remarks,
        }


def inspect(name: str | os.PathLike, data_dir=None) -> Inspection:
    """Reads a set of images once, and says what it holds.

    Files are decoded in parallel, and memory grows by a few numbers an image.
    A bar shows the progress where the standard error is a terminal.

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
    seen, shared, splits = {}, [], {}
    for split in found.splits():
        reader = _files if isinstance(found, ClassFolders) else _arrays
        splits[split] = reader(found, split, seen, shared)
    return Inspection(os.fspath(name), splits, shared, remarks_on(splits, shared))


def _files(found, split, seen, shared):
    """Facts of a split of image files."""
    folder, facts = found.folders[split], SplitFacts()
    classes = found.classes()
    names = list(classes)
    listing = list(found.listing(split, classes))
    counts = np.zeros(len(names), int)
    sizes = []

    def read(item):
        return read_file(folder / item[1])

    for (label, name), result in for_all(read, listing, f"Reading {split}"):
        if isinstance(result, str):
            facts.damaged[name] = result
            continue
        header, hashes = result
        counts[label] += 1
        sizes.append(header.size)
        facts.colours[header.mode] = facts.colours.get(header.mode, 0) + 1
        facts.turned += header.orientation > 1
        note(facts, split, name, hashes, seen, shared)
    facts.images = int(counts.sum())
    texts = [found.texts.get(name, name) for name in names]
    facts.classes = dict(zip(texts, counts.tolist(), strict=True))
    facts.height, facts.width = extent(sizes)
    facts.ignored = ignored_files(folder)
    return facts


def read_file(path):
    """Header and hashes of an image file, or what is wrong with it."""
    Image = pillow()
    try:
        content = path.read_bytes()
        with Image.open(io.BytesIO(content)) as image:
            header = header_of(image)
        pixels = decoded(io.BytesIO(content), str(path), 3)
    except Exception as error:
        return str(error.__cause__ or error)
    return header, (hashed(content), hashed(pixels.tobytes(), pixels.shape))


def _arrays(found, split, seen, shared):
    """Facts of a split of arrays, or of another source."""
    images = found.load(split, None, None, "when_read")
    pixels, count = images.images, len(images.labels)
    height, width, channels = pixels.shape[1:]
    counts = np.bincount(images.labels, minlength=images.num_classes)
    facts = SplitFacts(
        count,
        dict(zip(images.class_names, counts.tolist(), strict=True)),
        (height,) * 3,
        (width,) * 3,
        {f"{pixels.dtype}, {channels} channel(s)": count},
    )
    for start in range(0, count, CHUNK):
        for index, image in enumerate(pixels[start : start + CHUNK], start):
            value = hashed(np.ascontiguousarray(image).tobytes(), image.shape)
            note(facts, split, str(index), (None, value), seen, shared)
    return facts


def hashed(content: bytes, *facts) -> int:
    """A number that tells contents apart, of 8 bytes to save memory."""
    found = hashlib.blake2b(content, digest_size=8)
    found.update(repr(facts).encode())
    return int.from_bytes(found.digest(), "little")


def note(facts, split, name, hashes, seen, shared):
    """Notes an image, and what it repeats."""
    of_file, of_pixels = hashes
    before = seen.setdefault(of_pixels, (split, name, of_file))
    other_split, other, other_file = before
    if (other_split, other) == (split, name):
        return
    if other_split == split:
        facts.repeated += 1
        return
    is_same = of_file is not None and of_file == other_file
    shared.append(
        {
            "split": other_split,
            "image": other,
            "other_split": split,
            "other_image": name,
            "same": "file" if is_same else "pixels",
        }
    )


def extent(sizes):
    """The least, median and greatest height, and width."""
    if not sizes:
        return None, None
    sizes = np.array(sizes)
    parts = np.stack([sizes.min(0), np.median(sizes, 0), sizes.max(0)]).astype(int)
    return tuple(parts[:, 0].tolist()), tuple(parts[:, 1].tolist())


def ignored_files(folder) -> dict[str, int]:
    """How many files of each suffix are no images."""
    others = (
        os.path.splitext(name)[1].lower() or "no suffix"
        for name in files_below(folder)
        if not name.lower().endswith(EXTENSIONS)
    )
    return dict(Counter(others).most_common())


def remarks_on(splits: dict[str, SplitFacts], shared: list) -> list[str]:
    """Sentences about what is likely to be a mistake."""
    found = []
    train = splits.get("train", SplitFacts())
    counts = [count for count in train.classes.values() if count]
    if counts and max(counts) >= 3 * min(counts):
        ratio = max(counts) / min(counts)
        found.append(
            f"The largest class has {ratio:.1f} times as many images as the smallest: "
            "--set class_weight=balanced weighs them alike."
        )
    empty = [name for name, count in train.classes.items() if not count]
    if empty:
        found.append(f"Classes without an image to train on: {', '.join(empty[:5])}.")
    lower = Counter(name.lower() for name in train.classes)
    same = sorted(name for name, count in lower.items() if count > 1)
    if same:
        found.append(f"Classes that differ in case only: {', '.join(same[:5])}.")
    if shared:
        found.append(
            f"{len(shared):,} images stand in two splits: scores on them are too good."
        )
    for name, split in splits.items():
        if split.damaged:
            found.append(
                f"{len(split.damaged):,} files of {name} cannot be read: "
                "--on-error skip leaves them out."
            )
    if list(splits) == ["train"]:
        found.append("There is only one split: training needs a `val` or a `test`.")
    return found
