"""Paths of the shards of each split."""

import itertools
import os
import re
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data.sets._class_folders import SPLIT_FOLDERS

SUFFIX = ".tar"
BRACES = re.compile(r"\{([^{}]*)\}")
RANGE = re.compile(r"(\d+)\.\.(\d+)")
WORD = re.compile(r"(?<![a-z])(train|val|validation|test)(?![a-z])")
SPLIT_OF = {name: split for split, names in SPLIT_FOLDERS.items() for name in names}
# A range of more shards is a slip of the pen.
MOST_SHARDS = 1_000_000
LISTED = 3


def shards_of(name: str, path: str) -> dict[str, list[str]]:
    """The paths of the shards of each split, in order.

    Args:
        name: String, the set that errors name.
        path: Path of a `.tar` file, with braces as you like, or of a folder. The
            words train, val, validation and test in the names of the files, or of
            folders in the folder, are splits; without them all shards are for
            training.

    Raises:
        ValueError: If there is no shard, or one of those in braces is missing.
    """
    if os.path.isdir(path):
        found = _of_folder(path)
    else:
        found = expanded(name, path)
        missing = [shard for shard in found if not os.path.isfile(shard)]
        require(
            not missing,
            "`name` must be wds: followed by .tar files that are all there.",
            name=name,
            files=len(found),
            missing=len(missing),
            first=missing[:LISTED],
        )
    require(found, "`name` must be wds: followed by a folder of .tar files.", name=name)
    return _by_split(name, found)


def expanded(name: str, path: str) -> list[str]:
    """The paths that braces stand for, such as `{000..099}` or `{train,val}`."""
    parts = BRACES.split(path)
    # Every second part was in braces.
    choices = [
        [part] if i % 2 == 0 else _choices(name, part) for i, part in enumerate(parts)
    ]
    count = 1
    for choice in choices:
        count *= len(choice)
    require(
        path.endswith(SUFFIX)
        and "{" not in "".join(parts[::2])
        and "}" not in "".join(parts[::2])
        and count <= MOST_SHARDS,
        "`name` must be wds: followed by an existing folder of .tar files, or by the "
        "files, such as wds:PATH/train-{000..099}.tar.",
        name=name,
    )
    return ["".join(chosen) for chosen in itertools.product(*choices)]


def _choices(name, text):
    found = RANGE.fullmatch(text)
    if found is None:
        return text.split(",")
    first, last = (int(number) for number in found.groups())
    require(
        first <= last < first + MOST_SHARDS,
        "A range of shards must have at least one shard and at most a million.",
        name=name,
        range=text,
    )
    digits = len(found[1])
    return [f"{number:0{digits}d}" for number in range(first, last + 1)]


def _of_folder(path):
    folders = [path, *(Path(path, name) for name in SPLIT_OF)]
    return [
        str(file)
        for folder in folders
        for file in sorted(Path(folder).glob(f"*{SUFFIX}"))
        if file.is_file() and not file.name.startswith(".")
    ]


def _by_split(name, paths):
    groups = {}
    for path in paths:
        folder, last = os.path.split(path)
        words = WORD.findall(last.lower()) or [os.path.basename(folder)]
        kinds = {SPLIT_OF.get(word, "") for word in words}
        require(
            len(kinds) == 1,
            "The name of a shard must not name several splits.",
            name=name,
            shard=path,
        )
        groups.setdefault(kinds.pop(), []).append(path)
    if len(groups) == 1:
        # As a folder of classes is for training, whatever it is called.
        return {"train": paths}
    require(
        "train" in groups and "" not in groups,
        "Names of shards must all say their split (train, val or test), or none of "
        "them.",
        name=name,
        shards={kind or "none": shards[0] for kind, shards in groups.items()},
    )
    return {split: groups[split] for split in SPLIT_FOLDERS if split in groups}
