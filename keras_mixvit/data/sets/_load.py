import os
from collections.abc import Collection
from importlib import resources
from typing import Any

from keras_mixvit._checks import (
    is_among,
    require,
    require_choice,
    require_image_size,
    require_path,
)
from keras_mixvit._paths import is_path, path_hint
from keras_mixvit.data.sets._array_files import ArrayFiles, is_array_folder
from keras_mixvit.data.sets._cifar import ARCHIVES, Cifar
from keras_mixvit.data.sets._class_folders import ClassFolders
from keras_mixvit.data.sets._encoded_set import EncodedSet
from keras_mixvit.data.sets._hub_set import HubSet
from keras_mixvit.data.sets._imagenet import (
    IMAGENET,
    TINY_IMAGENET,
    imagenet,
    tiny_imagenet,
)
from keras_mixvit.data.sets._set_address import (
    HUGGING_FACE,
    SHARDS,
    address_label,
)
from keras_mixvit.data.sets._tar_set import TarSet
from keras_mixvit.data.sets._tfds_set import TFDSSet
from keras_mixvit.data.sets._validation_split import require_val_share, with_validation
from keras_mixvit.data.sources._file_checks import ON_ERROR
from keras_mixvit.data.sources._image_set import ImageSet
from keras_mixvit.data.sources._image_source import require_resize_share

TFDS = "tfds:"
PREFIXES = (TFDS, HUGGING_FACE, SHARDS)
NAMES = ("digits", *ARCHIVES, TINY_IMAGENET, *IMAGENET)


def load(
    name: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    resize_share: float | None = None,
    on_error: str = "when_read",
    leave_out: Collection[str] = (),
    val_share: float | None = None,
) -> ImageSet:
    """Loads a set of images by name or from files.

    | name | files |
    |---|---|
    | `"digits"` | 1,797 handwritten digits of 8 x 8 pixels in 17 shades, part of the package, cut into 1,000, 297 and 500 at random |
    | `"cifar10"`, `"cifar100"` | in `data_dir`, the official archive (Python or binary), its unpacked folder, or a `.npz` file of the name; without it `keras.datasets`, which downloads once |
    | `"tiny-imagenet"` | the official folder `tiny-imagenet-200` |
    | `"imagenet100"`, `"imagenet1k"` | folders `train` and `val`, each with one folder per class; without them `imagenet2012` of TensorFlow Datasets. The classes of `imagenet100` are those in `imagenet100.txt`, or those of exactly 100 folders |
    | a folder | `train`, `val` (or `validation`) and `test`, each with one folder per class; or only one folder per class; or the arrays of a `.npz` file as `.npy` files |
    | a `.npz` file | `x_train` and `y_train`, and optionally `x_val`, `y_val`, `x_test`, `y_test`, and `classes`, the names of the classes |
    | `"tfds:NAME"` | any TensorFlow Datasets set with images and labels |
    | `"hf:owner/name"`, `"hf:PATH"` | a set of Hugging Face `datasets`: on the hub, a `.parquet` file, or a folder of tables; `?image=COLUMN&label=COLUMN&config=NAME` name what it cannot find itself, and `train`, `val` and `test` name the splits |
    | `"wds:PATH"` | `.tar` shards in the WebDataset format: a folder, or `PATH/train-{000..099}.tar`; `?image=EXTENSION&label=FIELD` name the images, and the labels in `.json` files |

    `.npz` files, CIFAR and digits become arrays in memory. All others stay on the disk,
    and an `ImageSource` reads images on demand.

    Args:
        name: Name of a set, or path. A string is a path if it contains a
            separator or ends in the suffix of a file: `"cifar100"` is the named
            set, even if the working directory has a folder of that name;
            `"./cifar100"` is that folder.
        split: `"train"`, `"val"` or `"test"`. Defaults to `"train"`.
        data_dir: Path of the folder with the files of a named set, or the
            folder from which a relative path in `name` starts. Defaults to
            `None`.
        image_size: Integer, or tuple of integers (H, W), to which uint8 images
            are resized when they are read, or `None` for their own. Defaults
            to `None`.
        resize_share: Float in (0, 1], see `ImageSource`. Defaults to `None`.
        on_error: What to do about damaged image files. `"when_read"` raises an
            error when it reads one, perhaps hours later. `"refuse"` and `"skip"`
            first read all files of the split, in parallel: `"refuse"` lists all
            damaged ones in an error, `"skip"` leaves them out, warns, and lists
            them in `images.skipped`. Defaults to `"when_read"`.
        leave_out: Names of images that you do not want to load, such as those of
            an earlier `images.skipped`: of files, relative to the folder of the
            split, or as errors name images of `hf:` and `wds:`. Defaults to `()`.
        val_share: Float in (0, 1), the share of the training images that is
            the split `"val"` of a set without one. It draws the same share of
            each class, always the same images, and `"train"` holds the others:
            pass it for both splits. `None` cuts nothing. Defaults to `None`.

    Returns:
        An `ImageSet`.

    Raises:
        ValueError: If an argument is of a wrong type, the name, the split or
            the files are not as above, a checksum is wrong, or you set
            `val_share` for a set that has a validation split.
        OSError: If a set is missing and cannot be downloaded.

    Example:

    ```python
    digits = load("digits")
    assert digits.images.shape == (1000, 8, 8, 1)
    enlarged = load("digits", "val", image_size=32)
    assert enlarged.images.shape == (297, 32, 32, 1)
    np.savez("mine.npz", x_train=digits.images, y_train=digits.labels)
    held_out = load("mine.npz", "val", val_share=0.1)
    assert held_out.images.shape == (100, 8, 8, 1)
    ```

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
        Machine Learning Repository, 1998, CC BY 4.0.
    """  # noqa: E501
    require_choice("on_error", on_error, ON_ERROR)
    image_size = require_image_size(image_size)
    require_resize_share(resize_share)
    require(
        _is_names(leave_out),
        "`leave_out` must be a list of names of files.",
        leave_out=leave_out,
    )
    found = found_set(name, data_dir)
    held = found.splits()
    require(
        not is_among(split, found.unlabelled),
        f"`split` must be one of {', '.join(map(repr, held))}; the images of "
        f"{split!r} have no labels.",
        split=split,
    )
    require(
        len(leave_out) == 0 or isinstance(found, (ClassFolders, EncodedSet)),
        "`leave_out` must be empty for images that are not files.",
        leave_out=list(leave_out)[:3],
    )
    options: list[Any] = [image_size, resize_share, on_error]
    options += [leave_out] if len(leave_out) else []
    if val_share is not None:
        require_val_share(val_share)
        require(
            "val" not in held,
            "`val_share` must not be set for a set that has a validation split.",
            val_share=val_share,
            name=str(name),
        )
        if is_among(split, ("train", "val")):
            images = found.load("train", *options)
            return with_validation(images, val_share)[split == "val"]
    require(
        "val" in held or not is_among(split, ("val",)),
        f"`split` must be one of {', '.join(map(repr, held))}; `val_share` cuts "
        "'val' from the training images.",
        split=split,
    )
    require_choice("split", split, held)
    return found.load(split, *options)


def splits(name: str | os.PathLike, data_dir=None) -> tuple[str, ...]:
    """The splits that a set comes with, of `"train"`, `"val"` and `"test"`."""
    return found_set(name, data_dir).splits()


def is_data_path(name: str | os.PathLike) -> bool:
    """Whether `load` takes a string as a path, not as a name."""
    # What follows a prefix may contain a separator.
    return is_path(name) and not str(name).startswith(PREFIXES)


def data_label(name: str) -> str:
    """The name of a set in a table: its name, or the last part of its path.

    A path that ends in the name of a set is given in full.
    """
    if name.startswith((HUGGING_FACE, SHARDS)):
        return address_label(name)
    last = os.path.basename(os.path.normpath(name))
    return last if is_data_path(name) and last not in NAMES else name


def found_set(name, data_dir):
    """The set of a name, with `splits`, `unlabelled` and `load`."""
    require_path("name", name)
    if data_dir is not None:
        require_path("data_dir", data_dir)
    if name == "digits":
        return ArrayFiles(resources.files(__package__) / "digits.npz")
    if name in ARCHIVES:
        return Cifar(name, data_dir)
    if name == TINY_IMAGENET:
        return tiny_imagenet(data_dir)
    if name in IMAGENET:
        return imagenet(name, data_dir)
    if isinstance(name, str) and name.startswith(TFDS):
        return TFDSSet(name.removeprefix(TFDS), data_dir)
    if isinstance(name, str) and name.startswith(HUGGING_FACE):
        return HubSet(name, data_dir)
    if isinstance(name, str) and name.startswith(SHARDS):
        return TarSet(name, data_dir)
    path, known = os.path.join(data_dir or "", name), is_data_path(name)
    is_npz = known and str(name).endswith(".npz") and os.path.isfile(path)
    hint = "" if known else path_hint(name, data_dir)
    require(
        is_npz or (known and os.path.isdir(path)),
        f"`name` must be one of {', '.join(map(repr, NAMES))}, 'tfds:NAME', "
        f"'hf:NAME', 'wds:PATH', or an existing .npz file or folder.{hint}",
        name=str(name),
    )
    if is_npz or is_array_folder(path):
        return ArrayFiles(path)
    return ClassFolders(path)


def _is_names(values):
    is_collection = isinstance(values, Collection) and not isinstance(values, str)
    return is_collection and all(isinstance(value, str) for value in values)
