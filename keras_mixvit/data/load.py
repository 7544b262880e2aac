import os
from importlib import resources

import keras
import numpy as np

from keras_mixvit._checks import require, require_choice
from keras_mixvit.data.image_set import ImageSet

SPLITS = ("train", "val", "test")
CIFAR = {"cifar10": keras.datasets.cifar10, "cifar100": keras.datasets.cifar100}


def load(name: str, split: str = "train") -> ImageSet:
    """Loads a set of images by name or from a file.

    `"digits"` are 1,797 handwritten digits of 8 x 8 pixels in 17 shades, part
    of the package, cut into 1,000, 297 and 500 at random. `"cifar10"` and
    `"cifar100"` come from `keras.datasets`, which downloads them once; they
    have no validation split. A `.npz` file holds the arrays `x_train` and
    `y_train`, and may hold `x_val`, `y_val`, `x_test`, `y_test` and
    `classes`, the names of the classes.

    Args:
        name: `"digits"`, `"cifar10"`, `"cifar100"`, or the path of a `.npz`
            file.
        split: `"train"`, `"val"` or `"test"`. Defaults to `"train"`.

    Returns:
        An `ImageSet`.

    Raises:
        ValueError: If the name, the split or the arrays are not as above.
        OSError: If CIFAR is not at hand and cannot be downloaded.

    Example:

    ```python
    digits = load("digits")
    assert digits.images.shape == (1000, 8, 8, 1)
    ```

    References:
        Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI
        Machine Learning Repository, 1998, CC BY 4.0.
    """
    require_choice("split", split, SPLITS)
    if name == "digits":
        with resources.as_file(resources.files(__package__) / "digits.npz") as path:
            return _from_npz(path, split)
    if name in CIFAR:
        return _from_keras(name, split)
    require(
        str(name).endswith(".npz") and os.path.isfile(name),
        "`name` must be 'digits', 'cifar10', 'cifar100' or an existing .npz file.",
        name=name,
    )
    return _from_npz(name, split)


def splits(name: str) -> tuple[str, ...]:
    """The splits that a set has, of `"train"`, `"val"` and `"test"`."""
    if name == "digits":
        return SPLITS
    if name in CIFAR:
        return ("train", "test")
    with _opened(name) as arrays:
        return tuple(split for split in SPLITS if f"x_{split}" in arrays)


def _opened(path):
    try:
        return np.load(path, allow_pickle=False)
    except Exception as error:
        raise ValueError(
            f"`name` must be an intact .npz file. Received: name={str(path)!r}, "
            f"which NumPy cannot read ({error})"
        ) from error


def _from_npz(path, split):
    with _opened(path) as arrays:
        needed = {f"x_{split}", f"y_{split}", "y_train"}
        require(
            needed <= set(arrays),
            f"`name` must hold the arrays {', '.join(sorted(needed))}.",
            name=str(path),
            arrays=sorted(arrays),
        )
        images, labels = arrays[f"x_{split}"], arrays[f"y_{split}"]
        if "classes" in arrays:
            names = tuple(_text(name) for name in arrays["classes"])
        else:
            names = tuple(str(k) for k in range(int(arrays["y_train"].max()) + 1))
    return ImageSet(images, labels, names)


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)


def _from_keras(name, split):
    require_choice("split", split, splits(name))
    try:
        train, test = CIFAR[name].load_data()
    except Exception as error:
        raise OSError(
            f"{name} could not be downloaded ({error}). Without a network, load it "
            "from a .npz file with x_train, y_train, x_test and y_test."
        ) from error
    images, labels = train if split == "train" else test
    classes = int(train[1].max()) + 1
    return ImageSet(images, labels, tuple(str(k) for k in range(classes)))
