"""Where the images of a .tar file are, and their labels."""

import json
from array import array
from hashlib import blake2b
from tarfile import TarInfo
from typing import IO, NamedTuple

import numpy as np

from keras_mixvit._checks import is_integer, require
from keras_mixvit.data.sources._image_files import EXTENSIONS
from keras_mixvit.data.sources._tar_members import key_of, member_at, members

ENDINGS = tuple(ending.removeprefix(".") for ending in EXTENSIONS)
LABEL = "label"
LARGEST_LABEL_FILE = 2**20
LONGEST_LABEL = 200


class TarIndex(NamedTuple):
    """The images of a shard.

    Fields:
        headers: int64 array `(n,)`, where the headers of the images begin.
        places: int64 array `(n,)`, where their contents begin.
        lengths: int64 array `(n,)`, the bytes of their contents.
        codes: int32 array `(n,)`, which of the words is the label.
        words: Tuple of strings, the labels.
    """

    headers: np.ndarray
    places: np.ndarray
    lengths: np.ndarray
    codes: np.ndarray
    words: tuple[str, ...]


def indexed(path: str, image: str | None = None, label: str | None = None) -> TarIndex:
    """Reads the headers and the labels of a .tar file.

    Files of one key follow each other, as WebDataset has them.

    Args:
        path: Path of the file.
        image: The ending of images, such as `"input.jpg"`, or `None` for those of
            image files. Defaults to `None`.
        label: The field of the `.json` files that holds the label, or `None` for the
            `.cls` files, and for the field `"label"` without them. Defaults to
            `None`.

    Raises:
        ValueError: If the file is damaged or holds no image, a key has several
            images or comes again, or an image has no label.
    """
    with open(path, "rb") as file:
        reading = _Reading(file, path, image, label)
        for member in members(file, path):
            reading.take(member)
        return reading.index()


class _Reading:
    """Collects the images of a shard; the files of one key are known at a time."""

    def __init__(self, file: IO[bytes], path: str, image, label):
        self.file, self.path, self.image, self.label = file, path, image, label
        self.rows, self.codes, self.keys = array("q"), array("i"), array("Q")
        self.words: dict[str, int] = {}
        self.key = ""
        self.images: list[TarInfo] = []
        self.texts: dict[str, TarInfo] = {}

    def take(self, member: TarInfo) -> None:
        key, ending = key_of(member.name)
        if not ending or member.isdir():
            return
        if key != self.key:
            self._finish()
            self.key = key
        is_image = ending in ENDINGS if self.image is None else ending == self.image
        if ending in ("cls", "json"):
            self.texts[ending] = member
        elif is_image:
            self._require(
                member.isreg() and not member.issparse(),
                "Every image of a shard must be a whole file, not a link.",
            )
            self.images.append(member)

    def index(self) -> TarIndex:
        self._finish()
        require(self.keys, "Every shard must hold an image.", shard=self.path)
        headers, places, lengths = np.array(self.rows, "int64").reshape(-1, 3).T
        order = np.argsort(self.keys, kind="stable")
        again = np.flatnonzero(np.diff(np.array(self.keys)[order]) == 0)
        if len(again):
            found = member_at(self.file, int(headers[order[again[0] + 1]]))
            self.key = key_of(found.name)[0] if found is not None else "?"
            self._require(False, "Files of a shard must have a key of their own.")
        codes = np.array(self.codes, "int32")
        return TarIndex(headers, places, lengths, codes, tuple(self.words))

    def _finish(self):
        """Adds the image of the last key."""
        images, texts = self.images, self.texts
        self.images, self.texts = [], {}
        self._require(
            len(images) <= 1,
            "Every key must have one image; `wds:PATH?image=ENDING` chooses one of "
            "several.",
        )
        self._require(
            images or "cls" not in texts,
            "Every .cls file must follow an image of its key, or precede it.",
        )
        if not images:
            return
        field = self.label or LABEL
        word = None
        if self.label is None and "cls" in texts:
            word = self._text(texts["cls"])
            self._require(
                0 < len(word) <= LONGEST_LABEL, "Labels must be integers or words."
            )
        elif "json" in texts:
            word = self._field(texts["json"], field)
        self._require(
            word is not None,
            "Every image must have a label beside it, in KEY.cls or as "
            f"{field!r} in KEY.json.",
        )
        (image,) = images
        self.rows.extend((image.offset, image.offset_data, image.size))
        self.codes.append(self.words.setdefault(str(word), len(self.words)))
        digest = blake2b(self.key.encode(errors="surrogateescape"), digest_size=8)
        self.keys.append(int.from_bytes(digest.digest(), "little"))

    def _text(self, member):
        self._require(
            member.isreg() and member.size <= LARGEST_LABEL_FILE,
            "Files of labels must be small.",
        )
        self.file.seek(member.offset_data)
        try:
            return self.file.read(member.size).decode().strip()
        except UnicodeDecodeError:
            self._require(False, "Files of labels must be in UTF-8.")

    def _field(self, member, field):
        try:
            found = json.loads(self._text(member))
            value = found.get(field)
        except (AttributeError, RecursionError, json.JSONDecodeError):
            self._require(False, "Files .json must hold an object.")
        is_word = (
            isinstance(value, str)
            and 0 < len(value.strip()) <= LONGEST_LABEL
            # No half of a character, which nothing could print.
            and value.encode(errors="replace").decode() == value
        )
        self._require(
            value is None or is_word or is_integer(value),
            "Labels must be integers or words.",
            label=value,
        )
        return None if value is None else str(value).strip()

    def _require(self, condition, text, **received):
        require(condition, text, shard=self.path, key=self.key, **received)
