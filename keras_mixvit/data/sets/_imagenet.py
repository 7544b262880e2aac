"""ImageNet, its subset of 100 classes, and Tiny ImageNet."""

import importlib.util
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit.data.sets._class_folders import ClassFolders, subfolders
from keras_mixvit.data.sets._tfds_set import TFDSSet
from keras_mixvit.data.sets._tiny_imagenet import TinyImageNet, class_texts

TINY_IMAGENET = "tiny-imagenet"
# Number of classes.
IMAGENET = {"imagenet100": 100, "imagenet1k": 1000}
# As published networks have it, on a scale of 1.
MEAN = tuple(255 * v for v in (0.485, 0.456, 0.406))
STD = tuple(255 * v for v in (0.229, 0.224, 0.225))


def tiny_imagenet(data_dir) -> TinyImageNet:
    """Tiny ImageNet in a folder, or in the folder of that one."""
    folder = _folder_with_train(data_dir, ("tiny-imagenet-200", TINY_IMAGENET))
    require(
        folder is not None,
        "`data_dir` must be the unpacked folder tiny-imagenet-200, or hold it.",
        data_dir=data_dir and str(data_dir),
    )
    return TinyImageNet(folder)


def imagenet(name: str, data_dir):
    """ImageNet in a folder, or of TensorFlow Datasets.

    Args:
        name: `"imagenet100"` or `"imagenet1k"`.
        data_dir: Path of a folder with the folders `train` and `val`, or with
            a folder `name` or `imagenet` that has them, or that of TensorFlow
            Datasets; or `None`.

    Returns:
        A `ClassFolders` or `TFDSSet`.
    """
    count = IMAGENET[name]
    folder = _folder_with_train(data_dir, (name, "imagenet"))
    classes = class_list(name, data_dir, folder) if name == "imagenet100" else None
    if folder is not None:
        found = len(classes or subfolders(folder / "train"))
        hint = f", or {name}.txt must list them" if name == "imagenet100" else ""
        require(
            found == count,
            f"The train split of {name} must have {count} folders of classes{hint}.",
            folder=str(folder / "train"),
            classes=found,
        )
        texts = class_texts(folder)
        return ClassFolders(folder, classes, texts, channels=3, mean=MEAN, std=STD)
    has_tfds = importlib.util.find_spec("tensorflow_datasets") is not None
    require(
        has_tfds and (classes is not None or name != "imagenet100"),
        f"`data_dir` must hold the folders train and val of {name}, with a folder per "
        "class; or, with tensorflow-datasets, its imagenet2012"
        + (" and imagenet100.txt." if name == "imagenet100" else "."),
        data_dir=data_dir and str(data_dir),
    )
    return TFDSSet("imagenet2012", data_dir, classes, MEAN, STD, unlabelled=("test",))


def class_list(name: str, data_dir, folder) -> list[str] | None:
    """The classes in the first column of a file `NAME.txt`, if there is one."""
    for place in (data_dir, folder):
        path = None if place is None else Path(place) / f"{name}.txt"
        if path is not None and path.is_file():
            lines = path.read_text(encoding="utf-8").splitlines()
            classes = [line.split()[0] for line in lines if line.strip()]
            require(
                len(set(classes)) == IMAGENET[name],
                f"{path.name} must list {IMAGENET[name]} classes.",
                file=str(path),
                classes=len(set(classes)),
            )
            return sorted(set(classes))
    return None


def _folder_with_train(data_dir, names):
    if data_dir is None:
        return None
    places = (Path(data_dir), *(Path(data_dir) / name for name in names))
    return next((path for path in places if (path / "train").is_dir()), None)
