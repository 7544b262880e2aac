"""The images of the studies on 20 classes of CIFAR-100: cifar20.npz.

    python benchmarks/cifar20.py cifar20.npz [--data-dir DIR] [--others cifar80.npz]

DIR holds CIFAR-100, as `load("cifar100")` takes it; without it, Keras downloads it.
`cifar20_indices.npz` lists the images, drawn at random: of each class, 250 for
training and 50 for validation from the training images, and 50 test images.
`--others` also writes all images of the other 80 classes, which pretrain the networks
that the studies of fine-tuning start from.
"""

import argparse
from pathlib import Path

import numpy as np

from keras_mixvit import load

INDICES = Path(__file__).with_name("cifar20_indices.npz")
SOURCES = {"train": "train", "val": "train", "test": "test"}
NAMES = ("train", "test")


def sets_of(data_dir: str | None) -> dict:
    """The two sets of CIFAR-100.

    Args:
        data_dir: Folder of CIFAR-100, or `None` to download it.
    """
    return {split: load("cifar100", split, data_dir=data_dir) for split in NAMES}


def chosen(sets: dict) -> dict[str, np.ndarray]:
    """The arrays of cifar20.npz.

    Args:
        sets: The two sets of CIFAR-100.
    """
    arrays, classes = {}, None
    with np.load(INDICES) as indices:
        for split, source in SOURCES.items():
            images, places = sets[source], indices[split].astype("int64")
            labels = np.asarray(images.labels)[places]
            classes = np.unique(labels) if classes is None else classes
            arrays[f"x_{split}"] = np.asarray(images.images)[places]
            arrays[f"y_{split}"] = np.searchsorted(classes, labels).astype("uint8")
    arrays["classes"] = names_of(sets, classes)
    return arrays


def others(sets: dict) -> dict[str, np.ndarray]:
    """The arrays of cifar80.npz: all images of the classes that `chosen` leaves out.

    Args:
        sets: The two sets of CIFAR-100.
    """
    with np.load(INDICES) as indices:
        used = np.asarray(sets["train"].labels)[indices["train"].astype("int64")]
    classes = np.setdiff1d(np.arange(len(sets["train"].class_names)), used)
    arrays = {"classes": names_of(sets, classes)}
    for split, images in sets.items():
        labels = np.asarray(images.labels)
        kept = np.isin(labels, classes)
        arrays[f"x_{split}"] = np.asarray(images.images)[kept]
        arrays[f"y_{split}"] = np.searchsorted(classes, labels[kept]).astype("uint8")
    return arrays


def names_of(sets, classes):
    """The names of classes, as an array."""
    return np.array([sets["train"].class_names[k] for k in classes])


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="path of the file to write")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of CIFAR-100")
    parser.add_argument("--others", metavar="FILE", help="also write the other classes")
    options = parser.parse_args()
    cifar100 = sets_of(options.data_dir)
    np.savez(options.output, **chosen(cifar100))
    print(f"{options.output}: written")
    if options.others:
        np.savez(options.others, **others(cifar100))
        print(f"{options.others}: written")
