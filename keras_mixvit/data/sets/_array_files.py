"""Sets of images in arrays on the disk."""

import os
from pathlib import Path

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.data.sources._array_checks import require_labels
from keras_mixvit.data.sources._image_array import ImageArray, mapped
from keras_mixvit.data.sources._image_set import ImageSet

SPLITS = ("train", "val", "test")


class ArrayFiles:
    """Arrays `x_train`, `y_train`, ... and `classes`.

    Args:
        path: Path of a `.npz` file, or of a folder of `.npy` files of these
            names, whose images stay on the disk; or a `Traversable` of a package.
        class_names: Tuple of strings, used if the file names no classes, or
            `None` to number the classes. Defaults to `None`.
    """

    unlabelled: tuple[str, ...] = ()

    def __init__(self, path, class_names: tuple[str, ...] | None = None):
        self.path = path
        self.class_names = class_names

    def splits(self) -> tuple[str, ...]:
        """The splits that have images and labels."""
        held = self._arrays(())
        found = tuple(s for s in SPLITS if {f"x_{s}", f"y_{s}"} <= set(held))
        require(
            "train" in found,
            "`name` must be an .npz file with the arrays x_train and y_train.",
            name=str(self.path),
            arrays=sorted(held),
        )
        return found

    def load(self, split: str, image_size, resize_share, on_error: str) -> ImageSet:
        """The images of a split; a damaged array is always an error."""
        wanted = (f"x_{split}", f"y_{split}", "y_train", "classes")
        arrays = self._arrays(wanted)
        labels = require_labels("y_train", arrays["y_train"])
        names = self.class_names
        if "classes" in arrays:
            names = _names(arrays["classes"])
        elif names is None:
            names = tuple(str(k) for k in range(int(labels.max()) + 1))
        images = arrays[f"x_{split}"]
        if isinstance(images, np.memmap) and images.dtype == np.uint8:
            images = ImageArray(images)
        images = sized(images, image_size, resize_share)
        return ImageSet(images, arrays[f"y_{split}"], names)

    def _arrays(self, wanted) -> dict:
        """Every name, with the array where it is wanted."""
        if is_array_folder(self.path):
            files = {path.stem: path for path in Path(self.path).glob("*.npy")}
            return {
                key: mapped(path) if key in wanted else None
                for key, path in files.items()
            }
        is_path = isinstance(self.path, (str, os.PathLike))
        path = Path(self.path) if is_path else self.path
        try:
            with path.open("rb") as opened, np.load(opened, allow_pickle=False) as file:
                found = {key: file[key] if key in wanted else None for key in file}
            # NumPy gives members that are no arrays as bytes.
            if any(isinstance(array, bytes) for array in found.values()):
                raise TypeError("a member is no array")
            return found
        except Exception as error:
            raise ValueError(
                "`name` must be an intact .npz file without pickled objects. Received: "
                f"name={str(self.path)!r}"
            ) from error


def is_array_folder(path) -> bool:
    """Whether a path is a folder of arrays."""
    is_path = isinstance(path, (str, os.PathLike))
    return is_path and (Path(path) / "x_train.npy").is_file()


def sized(images, image_size, resize_share):
    """Images of an array, resized on reading if they need to be."""
    if image_size is None or tuple(image_size) == images.shape[1:3]:
        require(
            resize_share is None,
            "`resize_share` must be None if images keep their size.",
            resize_share=resize_share,
            image_size=image_size,
        )
        return images
    if isinstance(images, ImageArray):
        images = images.images
    require(
        images.dtype == np.uint8,
        "`image_size` must be None, or the images uint8.",
        dtype=str(images.dtype),
    )
    return ImageArray(images, image_size, resize_share)


def _names(classes) -> tuple[str, ...]:
    """Names of classes, from an array of text, bytes or numbers."""
    try:
        return tuple(
            name.decode() if isinstance(name, bytes) else str(name)
            for name in np.ravel(classes)
        )
    except UnicodeDecodeError as error:
        raise ValueError(
            "`classes` must be names in UTF-8. Received: "
            f"classes={np.ravel(classes)[:3].tolist()!r}"
        ) from error
