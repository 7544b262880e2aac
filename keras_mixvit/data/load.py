import os
from collections.abc import Sequence
from importlib import resources

from keras_mixvit._checks import is_integer, require, require_choice
from keras_mixvit.data.array_files import ArrayFiles, is_array_folder
from keras_mixvit.data.cifar import ARCHIVES, Cifar
from keras_mixvit.data.class_folders import ClassFolders
from keras_mixvit.data.file_checks import ON_ERROR
from keras_mixvit.data.image_set import ImageSet
from keras_mixvit.data.imagenet import IMAGENET, TINY_IMAGENET, imagenet, tiny_imagenet
from keras_mixvit.data.tfds_set import TFDSSet

TFDS = "tfds:"
NAMES = ("digits", *ARCHIVES, TINY_IMAGENET, *IMAGENET)


def load(
    name: str | os.PathLike,
    split: str = "train",
    *,
    data_dir: str | os.PathLike | None = None,
    image_size: int | tuple[int, int] | None = None,
    resize_share: float | None = None,
    on_error: str = "when_read",
    leave_out: Sequence[str] = (),
) -> ImageSet:
    """Loads a set of images by name or from files.

    | name | files |
    |---|---|
    | `"digits"` | 1,797 handwritten digits of 8 x 8 pixels in 17 shades, part of the package, cut into 1,000, 297 and 500 at random |
    | `"cifar10"`, `"cifar100"` | the official archive, for Python or binary, or unpacked, or a `.npz` file of the name, in `data_dir`; without it `keras.datasets`, which downloads once |
    | `"tiny-imagenet"` | the official folder `tiny-imagenet-200` |
    | `"imagenet100"`, `"imagenet1k"` | folders `train` and `val` of a folder per class; without them `imagenet2012` of TensorFlow Datasets. The classes of `imagenet100` are those in `imagenet100.txt`, or of exactly 100 folders |
    | a folder | `train`, `val` or `validation`, and `test`, of a folder per class, or just a folder per class; or the arrays of a `.npz` file as `.npy` files |
    | a `.npz` file | `x_train` and `y_train`, and as you like `x_val`, `y_val`, `x_test`, `y_test`, and `classes`, the names of the classes |
    | `"tfds:NAME"` | any set of TensorFlow Datasets with images and labels |

    Image files, `.npy` files and TensorFlow Datasets are read when they are
    asked for (`ImageSource`); the others are arrays in memory.

    Args:
        name: Name of a set, or path.
        split: `"train"`, `"val"` or `"test"`. Defaults to `"train"`.
        data_dir: Path of the folder with the files of a named set, or with the
            file or folder that `name` names. Defaults to `None`.
        image_size: Integer, or tuple of integers (H, W), to which uint8 images
            are resized when they are read, or `None` for their own. Defaults
            to `None`.
        resize_share: Float in (0, 1], see `ImageSource`. Defaults to `None`.
        on_error: What becomes of image files that are not intact.
            `"when_read"` raises an error when one is read, which may be hours
            later. `"refuse"` and `"skip"` read all files of the split once, in
            parallel: the first lists all damaged ones in an error, the second
            leaves them out, warns, and keeps them in `images.skipped`.
            Defaults to `"when_read"`.
        leave_out: Names of image files below the folder of the split that are
            not loaded, such as those that were skipped before. Defaults to
            `()`.

    Returns:
        An `ImageSet`.

    Raises:
        ValueError: If the name, the split or the files are not as above, or
            a checksum is wrong.
        OSError: If a set is not at hand and cannot be downloaded.

    Example:

    ```python
    digits = load("digits")
    assert digits.images.shape == (1000, 8, 8, 1)
    enlarged = load("digits", "val", image_size=32)
    assert enlarged.images.shape == (297, 32, 32, 1)
    ```

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
        Machine Learning Repository, 1998, CC BY 4.0.
    """  # noqa: E501
    require_choice("on_error", on_error, ON_ERROR)
    if is_integer(image_size):
        image_size = (image_size, image_size)
    require(
        image_size is None
        or (len(image_size) == 2 and all(is_integer(n) and n > 0 for n in image_size)),
        "`image_size` must be a positive integer, two of them, or None.",
        image_size=image_size,
    )
    found = found_set(name, data_dir)
    listed = ", ".join(repr(s) for s in found.splits())
    require(
        split not in found.unlabelled,
        f"`split` must be one of {listed}; the images of {split!r} have no labels.",
        split=split,
    )
    require_choice("split", split, found.splits())
    if not leave_out:
        return found.load(split, image_size, resize_share, on_error)
    require(
        isinstance(found, ClassFolders),
        "`leave_out` must be empty for images that are not files.",
        leave_out=list(leave_out)[:3],
    )
    return found.load(split, image_size, resize_share, on_error, leave_out)


def splits(name: str | os.PathLike, data_dir=None) -> tuple[str, ...]:
    """The splits that a set has, of `"train"`, `"val"` and `"test"`."""
    return found_set(name, data_dir).splits()


def found_set(name, data_dir):
    """The set of a name, with `splits`, `unlabelled` and `load`."""
    if name == "digits":
        return ArrayFiles(resources.files(__package__) / "digits.npz")
    if name in ARCHIVES:
        return Cifar(name, data_dir)
    if name == TINY_IMAGENET:
        return tiny_imagenet(data_dir)
    if name in IMAGENET:
        return imagenet(name, data_dir)
    if str(name).startswith(TFDS):
        return TFDSSet(str(name).removeprefix(TFDS), data_dir)
    path = os.path.join(data_dir or "", name)
    is_npz = str(name).endswith(".npz") and os.path.isfile(path)
    is_folder = str(name) != "" and os.path.isdir(path)
    known = ", ".join(repr(n) for n in NAMES)
    require(
        is_npz or is_folder,
        f"`name` must be one of {known}, 'tfds:NAME', or an existing .npz file or "
        "folder.",
        name=str(name),
    )
    if is_npz or is_array_folder(path):
        return ArrayFiles(path)
    return ClassFolders(path)
