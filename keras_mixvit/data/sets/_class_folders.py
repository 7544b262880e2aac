"""Sets of images in one folder per class."""

import os
from array import array
from pathlib import Path

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sets._intact_images import refuse_or_warn
from keras_mixvit.data.sources._file_checks import damaged_files
from keras_mixvit.data.sources._file_names import FileNames
from keras_mixvit.data.sources._image_files import image_files, is_hidden
from keras_mixvit.data.sources._image_folder import ImageFolder
from keras_mixvit.data.sources._image_set import ImageSet

# Names of the folder of each split.
SPLIT_FOLDERS = {"train": ("train",), "val": ("val", "validation"), "test": ("test",)}


class ClassFolders:
    """A folder `train`, and `val` or `validation`, and `test`, of classes.

    Without them, the folder itself holds the classes of a train split. Names
    below a class may be nested. Classes are in the order of their names.

    Args:
        folder: Path.
        classes: Sequence of names of the folders of the classes to take, or
            `None` for those of the train split. Defaults to `None`.
        texts: Dict from names of folders to names of classes, where they
            differ, or `None`. Defaults to `None`.
        channels: `1`, `3`, or `None` to find out. Defaults to `None`.
        mean: Tuple of floats, the published mean, or `None`. Defaults to
            `None`.
        std: Tuple of floats, likewise. Defaults to `None`.
    """

    unlabelled: tuple[str, ...] = ()

    def __init__(
        self, folder, classes=None, texts=None, channels=None, mean=None, std=None
    ):
        self.folder = Path(folder)
        self.folders = split_folders(self.folder)
        self.wanted = classes
        self.texts = texts or {}
        self.channels = channels
        self.mean = mean
        self.std = std

    def splits(self) -> tuple[str, ...]:
        """The splits that exist and have labels."""
        return tuple(s for s in self.folders if s not in self.unlabelled)

    def classes(self) -> list[str]:
        """Names of the folders of the classes."""
        found = subfolders(self.folders["train"])
        missing = sorted(set(self.wanted or ()) - set(found))
        require(
            not missing,
            "The train split must have a folder for every class of the list.",
            folder=str(self.folders["train"]),
            missing=missing[:3],
        )
        return sorted(self.wanted or found)

    def load(
        self, split: str, image_size, resize_share, on_error: str, leave_out=()
    ) -> ImageSet:
        """The images of a split, read on demand."""
        classes = self.classes()
        files, labels = self._files(split, classes)
        skipped = {}
        if leave_out:
            files, labels = self._without(files, labels, set(leave_out))
        elif on_error != "when_read":
            files, labels, skipped = self._intact(split, files, labels, on_error)
        if split == "train":
            counts = np.bincount(labels, minlength=len(classes))
            empty = [name for name, n in zip(classes, counts, strict=True) if not n]
            require(
                not empty,
                "Every class must have an image in the train split.",
                folder=str(self.folders[split]),
                empty=empty[:3],
            )
        options = {"image_size": image_size, "channels": self.channels}
        if split != "train" and None in options.values():
            # The other splits must have the channels of the train split.
            train = self._files("train", classes)[0]
            shape = ImageFolder(self.folders["train"], train, **options).image_shape
            is_resized = image_size is not None
            options = {
                "image_size": shape[:2] if is_resized else None,
                "channels": shape[2],
            }
        images = ImageFolder(
            self.folders[split], files, resize_share=resize_share, **options
        )
        images.skipped = skipped
        if split != "train" and image_size is None:
            require(
                images.image_shape == shape,
                "`image_size` must be given if images differ in size.",
                train=shape[:2],
                **{split: images.image_shape[:2]},
            )
        names = tuple(self.texts.get(name, name) for name in classes)
        return ImageSet(images, labels, names, self.mean, self.std)

    def listing(self, split: str, classes):
        """Pairs of a label and the name of a file, class by class."""
        folder = self.folders[split]
        found = set(subfolders(folder))
        if self.wanted is None:
            unknown = sorted(found - set(classes))
            require(
                not unknown,
                "Every class must be in the train split.",
                folder=str(folder),
                unknown=unknown[:3],
            )
        for k, name in enumerate(classes):
            if name in found:
                for file in image_files(folder / name):
                    yield k, os.path.join(name, file)

    def _files(self, split, classes):
        labels = array("i")

        def names():
            for label, name in self.listing(split, classes):
                labels.append(label)
                yield name

        return FileNames(names()), np.array(labels, "int32")

    def _intact(self, split, files, labels, on_error):
        folder = self.folders[split]
        damaged = damaged_files(folder, files, self.channels or 3)
        if not damaged:
            return files, labels, {}
        refuse_or_warn(damaged, len(files), split, on_error, str(folder))
        return *self._without(files, labels, damaged), damaged

    def _without(self, files, labels, names):
        intact = np.array([name not in names for name in files], bool)
        return FileNames(files[i] for i in np.flatnonzero(intact)), labels[intact]


def split_folders(folder: Path) -> dict[str, Path]:
    """The folder of each split; a folder of classes is one of `train`."""
    found = subfolders(folder)
    held = {
        split: folder / name
        for split, names in SPLIT_FOLDERS.items()
        for name in names
        if name in found
    }
    require(
        "train" in held or not set(found) <= {path.name for path in held.values()},
        "A folder must hold a folder `train`, or folders of classes.",
        folder=str(folder),
        folders=found[:5],
    )
    return held if "train" in held else {"train": folder}


def require_classes(images: ImageSet, data: str) -> None:
    """Requires images of at least two classes to train on.

    Args:
        images: `ImageSet`.
        data: String, the name or path of the set.

    Raises:
        ValueError: If there is one class; the error names the folder below, if it may
            have been meant.
    """
    if images.num_classes > 1:
        return
    (only,) = images.class_names
    folder = Path(data) / only
    hint = ""
    if folder.is_dir() and len(subfolders(folder)) > 1:
        hint = f" '{only}' holds folders: did you mean {str(folder)!r}?"
    require(
        False,
        f"`data` must have images of at least two classes.{hint}",
        data=data,
        classes=[only],
    )


def subfolders(folder) -> list[str]:
    """Names of the folders in a folder, sorted, without hidden ones."""
    with os.scandir(folder) as entries:
        found = [e.name for e in entries if e.is_dir() and not is_hidden(e.name)]
    return sorted(found)
