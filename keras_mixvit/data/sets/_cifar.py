"""CIFAR-10 and CIFAR-100, in the forms in which they are published."""

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sets._array_files import ArrayFiles, sized
from keras_mixvit.data.sets._array_unpickler import ArrayUnpickler
from keras_mixvit.data.sets._cifar_names import CIFAR10_CLASSES, CIFAR100_CLASSES
from keras_mixvit.data.sources._image_set import ImageSet

# What the published MixMo code normalises both sets with, on a scale of 1; the
# "std" is the mean of the images' own, which is common.
MEAN = tuple(255 * v for v in (0.49137, 0.48235, 0.44667))
STD = tuple(255 * v for v in (0.2023, 0.1994, 0.2010))
SIDE, CHANNELS = 32, 3
PIXELS = SIDE * SIDE * CHANNELS


@dataclass(frozen=True)
class Archive:
    """One published form of a set.

    Args:
        file: Name of the archive.
        md5: Its published checksum.
        folder: Name of the folder in it.
        members: Dict from splits to names of files in the folder.
        labels: Key of the labels in a pickle, or `None` for a binary file.
            Defaults to `None`.
        prefix: Bytes before the pixels of a record in a binary file; the last
            one is the label. Defaults to `0`.
    """

    file: str
    md5: str
    folder: str
    members: dict
    labels: bytes | None = None
    prefix: int = 0


def _ten(end=""):
    return {
        "train": [f"data_batch_{i}{end}" for i in range(1, 6)],
        "test": [f"test_batch{end}"],
    }


def _hundred(end=""):
    return {"train": [f"train{end}"], "test": [f"test{end}"]}


ARCHIVES = {
    "cifar10": (
        Archive(
            "cifar-10-python.tar.gz",
            "c58f30108f718f92721af3b95e74349a",
            "cifar-10-batches-py",
            _ten(),
            labels=b"labels",
        ),
        Archive(
            "cifar-10-binary.tar.gz",
            "c32a1d4ab5d03f1284b67883e8d87530",
            "cifar-10-batches-bin",
            _ten(".bin"),
            prefix=1,
        ),
    ),
    "cifar100": (
        Archive(
            "cifar-100-python.tar.gz",
            "eb9058c3a382ffc7106e4002c42a8d85",
            "cifar-100-python",
            _hundred(),
            labels=b"fine_labels",
        ),
        Archive(
            "cifar-100-binary.tar.gz",
            "03b5dce01913d631647c71ecec9e9cb8",
            "cifar-100-binary",
            _hundred(".bin"),
            prefix=2,
        ),
    ),
}
CLASSES = {"cifar10": CIFAR10_CLASSES, "cifar100": CIFAR100_CLASSES}


class Cifar:
    """CIFAR-10 or CIFAR-100 from files, or from `keras.datasets`.

    Args:
        name: `"cifar10"` or `"cifar100"`.
        data_dir: Path of a folder that holds an official archive, or the
            folder unpacked from it, or `cifar10.npz` or `cifar100.npz`; or of
            one of these. `None` for `keras.datasets`, which downloads the set
            once. Defaults to `None`.
    """

    unlabelled: tuple[str, ...] = ()

    def __init__(self, name: str, data_dir=None):
        self.name = name
        self.data_dir = None if data_dir is None else Path(data_dir)

    def splits(self) -> tuple[str, ...]:
        """`("train", "test")`, or the splits of a `.npz` file."""
        place = self._place()
        return place.splits() if isinstance(place, ArrayFiles) else ("train", "test")

    def load(self, split: str, image_size, resize_share, on_error: str) -> ImageSet:
        """The images of a split; a damaged file is always an error."""
        place = self._place()
        if isinstance(place, ArrayFiles):
            found = place.load(split, None, None, on_error)
            images, labels = found.images, found.labels
        elif place is None:
            images, labels = self._from_keras(split)
        else:
            archive, path = place
            images, labels = self._from_archive(archive, path, split)
        # Floats may be on any scale.
        mean, std = (MEAN, STD) if images.dtype == np.uint8 else (None, None)
        images = sized(images, image_size, resize_share)
        return ImageSet(images, labels, CLASSES[self.name], mean, std)

    def _place(self):
        """`None`, an `ArrayFiles`, or an `Archive` with its folder or file."""
        folder = self.data_dir
        if folder is None:
            return None
        archives, npz = ARCHIVES[self.name], f"{self.name}.npz"
        for path in (folder, folder / npz):
            if path.suffix == ".npz" and path.is_file():
                return ArrayFiles(path, CLASSES[self.name])
        for archive in archives:
            for path in (folder / archive.folder, folder, folder / archive.file):
                is_folder = (path / archive.members["test"][0]).is_file()
                if is_folder or (path.name == archive.file and path.is_file()):
                    return archive, path
        names = ", ".join(f"{a.file} or {a.folder}" for a in archives)
        require(
            False,
            f"`data_dir` must hold {names} or {npz}.",
            data_dir=str(folder),
        )

    def _from_keras(self, split):
        try:
            train, test = getattr(keras.datasets, self.name).load_data()
        except Exception as error:
            file = ARCHIVES[self.name][0].file
            raise OSError(
                f"{self.name} could not be downloaded ({error}). Without a network, "
                f"put {file} into a folder and name it as `data_dir`."
            ) from error
        return train if split == "train" else test

    def _from_archive(self, archive, path, split):
        if path.is_file():
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "md5").hexdigest()
            require(
                found == archive.md5,
                f"{archive.file} must be complete, with the MD5 sum {archive.md5}.",
                file=str(path),
                md5=found,
            )
        parts = []
        for member in archive.members[split]:
            place = path / member if path.is_dir() else f"{path}: {member}"
            try:
                parts.append(self._part(archive, path, member))
            except Exception as error:
                raise ValueError(
                    f"A file of {self.name} must be intact and as published. "
                    f"Received: file={str(place)!r}, error={str(error)!r}"
                ) from error
        images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
        images = images.reshape(-1, CHANNELS, SIDE, SIDE).transpose(0, 2, 3, 1)
        return np.ascontiguousarray(images), labels

    def _part(self, archive, path, member):
        """Pixels `(n, 3072)` and labels `(n,)` of a file."""
        if path.is_dir():
            with open(path / member, "rb") as unpacked:
                return records(unpacked, archive)
        with tarfile.open(path) as tar:
            file = tar.extractfile(f"{archive.folder}/{member}")
            require(file is not None, "A member must be a file.", member=member)
            return records(file, archive)


def records(file, archive: Archive):
    """Pixels `(n, 3072)` and labels `(n,)` of a published file."""
    if archive.labels is None:
        content = np.frombuffer(file.read(), "uint8")
        content = content.reshape(-1, archive.prefix + PIXELS)
        return content[:, archive.prefix :], content[:, archive.prefix - 1]
    found = ArrayUnpickler(file).load()
    images, labels = found[b"data"], np.asarray(found[archive.labels])
    require(
        isinstance(images, np.ndarray)
        and images.dtype == np.uint8
        and images.shape == (len(labels), PIXELS),
        f"`data` must be uint8 (n, {PIXELS}) with n labels.",
        shape=np.shape(images),
        labels=len(labels),
    )
    return images, labels
