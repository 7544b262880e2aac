import contextlib
import os
from importlib import resources

import keras
import numpy as np

from keras_mixvit._checks import require, require_choice
from keras_mixvit.data.array_checks import require_labels
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
    require_choice("split", split, splits(name))
    if name in CIFAR:
        return _from_keras(name, split)
    arrays = _arrays(name, (f"x_{split}", f"y_{split}", "y_train", "classes"))
    labels = require_labels("y_train", arrays["y_train"])
    if "classes" in arrays:
        names = tuple(_text(name) for name in np.atleast_1d(arrays["classes"]))
    else:
        names = tuple(str(k) for k in range(int(labels.max()) + 1))
    return ImageSet(arrays[f"x_{split}"], arrays[f"y_{split}"], names)


def splits(name: str) -> tuple[str, ...]:
    """The splits that a set has, of `"train"`, `"val"` and `"test"`."""
    if name in CIFAR:
        return ("train", "test")
    held = _arrays(name, ())
    found = tuple(s for s in SPLITS if {f"x_{s}", f"y_{s}"} <= set(held))
    require(
        "train" in found,
        "`name` must be an .npz file with the arrays x_train and y_train.",
        name=str(name),
        arrays=sorted(held),
    )
    return found


def _arrays(name, wanted) -> dict:
    """Every name in a .npz file, with the array where it is wanted."""
    if name == "digits":
        place = resources.as_file(resources.files(__package__) / "digits.npz")
    else:
        require(
            str(name).endswith(".npz") and os.path.isfile(name),
            "`name` must be 'digits', 'cifar10', 'cifar100' or an existing .npz file.",
            name=str(name),
        )
        place = contextlib.nullcontext(name)
    try:
        with place as path, np.load(path, allow_pickle=False) as file:
            return {key: file[key] if key in wanted else None for key in file}
    except Exception as error:
        raise ValueError(
            "`name` must be an intact .npz file without pickled objects. Received: "
            f"name={str(name)!r}"
        ) from error


def _text(name):
    return name.decode() if isinstance(name, bytes) else str(name)


def _from_keras(name, split):
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
