"""Images out of the distribution, for the evaluation of a run."""

import dataclasses
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape
from keras_mixvit.data import ImageSet, ImageSource, load
from keras_mixvit.data.sets._class_folders import subfolders
from keras_mixvit.data.sets._load import data_label, is_data_path, splits
from keras_mixvit.data.sources._array_file import ArrayFile
from keras_mixvit.data.sources._file_names import FileNames
from keras_mixvit.data.sources._image_files import image_files
from keras_mixvit.data.sources._image_folder import ImageFolder
from keras_mixvit.data.sources._resizing import centred, default_share
from keras_mixvit.evaluation._judged_corruptions import brightness_of


def load_ood(
    names: Sequence[str],
    known: str,
    images: np.ndarray | ImageSource,
    shape: ImageShape,
    data_dir: Any = None,
) -> dict[str, ImageSet]:
    """The test images of other sets, or else their validation or training images.

    Files of an array and folders of images need no labels. Grey images become RGB for a
    model of RGB images. White is 16 in the digits, 1 in arrays of floats from 0 to 1,
    and 255 in images of bytes: if the white of a set differs from that of the images
    that evaluate the model, its values are scaled.

    Args:
        names: Sequence of names or paths, as `load` takes them; or paths of `.npz` and
            `.npy` files of one array, and of folders of image files.
        known: String, the data set that evaluates the model.
        images: Array or `ImageSource`, the images of that set.
        shape: (H, W, C) of the model, to which images of other sizes are resized.
        data_dir: Path of the folder with the files of named sets, or `None`. Defaults
            to `None`.
    """
    require(
        isinstance(names, (list, tuple))
        and all(isinstance(name, (str, os.PathLike)) for name in names)
        and len(set(map(str, names))) == len(names),
        "`ood` must be a list of different names or paths of sets.",
        ood=names,
    )
    require(
        known not in map(str, names),
        "`ood` must not hold the data set that evaluates the model.",
        ood=list(names),
        data=known,
    )
    found = {}
    white = white_of(known, images) if names else None
    for name in names:
        others = _unlabelled(os.fspath(name), shape)
        if others is None:
            others = _labelled(name, shape[:2], data_dir)
        label = data_label(str(name))
        others = _scaled(others, white_of(str(name), others.images), white)
        found[str(name) if label in found else label] = _coloured(others, shape)
    return found


def white_of(name: str, images: np.ndarray | ImageSource) -> float | None:
    """The value of white in a set, or `None` if its values do not tell.

    Args:
        name: String, the name of the set.
        images: Array or `ImageSource`.
    """
    if name == "digits":
        return 16.0
    if isinstance(images, ImageSource):
        return 255.0
    low, high = brightness_of(images)
    if images.dtype == np.uint8:
        return 255.0 if high == 255 else None
    return 1.0 if low == 0 and high <= 1 else None


def _scaled(images, own, wanted):
    """The images with another value of white, if both values are known."""
    if own is None or wanted is None or own == wanted:
        return images
    pixels = np.asarray(images.images[:], "float32") * np.float32(wanted / own)
    return dataclasses.replace(images, images=pixels, mean=None, std=None)


def _labelled(name, size, data_dir):
    """Images that `load` loads."""
    where = {} if data_dir is None or is_data_path(name) else {"data_dir": data_dir}
    held = splits(name, **where)
    split = next(split for split in ("test", "val", "train") if split in held)
    images = load(name, split, **where)
    if tuple(images.images.shape[1:3]) != size:
        images = load(name, split, image_size=size, **where)
    return images


def _unlabelled(path, shape):
    """Images of a file or a folder without labels, or `None` if it may have some."""
    if os.path.isdir(path) and not subfolders(path):
        files = FileNames(image_files(path))
        if not len(files):
            return None
        channels = shape[2] if shape[2] in (1, 3) else None
        return _without_labels(
            ImageFolder(path, files, image_size=shape[:2], channels=channels)
        )
    if not (os.path.isfile(path) and path.lower().endswith((".npz", ".npy"))):
        return None
    pixels = _array(path)
    if pixels is None:
        return None
    require(
        pixels.ndim == 4 and pixels.size > 0 and pixels.dtype.kind in "fu",
        "`ood` must be files of an array (n, H, W, C) of unsigned integers or floats.",
        ood=path,
        shape=pixels.shape,
        dtype=str(pixels.dtype),
    )
    if pixels.dtype == np.uint8 and pixels.shape[1:3] != tuple(shape[:2]):
        share = default_share(shape[:2])
        pixels = np.stack([centred(image, shape[:2], share) for image in pixels])
    return _without_labels(pixels)


def _array(path):
    """The array of a file without labels, or `None` if it has labels or is damaged."""
    try:
        file = ArrayFile(path)
        return None if {"x_train", "y_train"} <= set(file.names) else file.whole()
    except ValueError:
        # `load` says what is wrong with it.
        return None


def _without_labels(images):
    return ImageSet(images, np.zeros(len(images), "int32"), ("unknown",))


def _coloured(images, shape):
    """Grey images as RGB, for a model of RGB images."""
    if (images.images.shape[3], shape[2]) != (1, 3):
        return images
    pixels = images.images
    if isinstance(pixels, ImageSource):
        return _without_labels(Coloured(pixels))
    return _without_labels(np.repeat(pixels, 3, axis=3))


class Coloured(ImageSource):
    """The images of a grey source, as RGB.

    Args:
        source: `ImageSource` of images with one channel.
    """

    def __init__(self, source: ImageSource):
        shape = (*source.image_size, 3)
        super().__init__(shape, source.varies, source.resize_share)
        self.source = source

    def __len__(self):
        return len(self.source)

    def original(self, index: int) -> np.ndarray:
        return np.repeat(self.source.original(index), 3, axis=2)
