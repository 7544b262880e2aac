"""The images of the studies on 20 classes of CIFAR-100: cifar20.npz.

    python benchmarks/cifar20.py cifar20.npz [--data-dir DIR]

DIR holds CIFAR-100, as `load("cifar100")` takes it; without it, Keras downloads it.
`cifar20_indices.npz` lists the images, drawn at random: of each class, 250 for
training and 50 for validation from the training images, and 50 test images.
"""

import argparse
from pathlib import Path

import numpy as np

from keras_mixvit import load

INDICES = Path(__file__).with_name("cifar20_indices.npz")
SOURCES = {"train": "train", "val": "train", "test": "test"}
NAMES = ("train", "test")


def chosen(data_dir: str | None) -> dict[str, np.ndarray]:
    """The arrays of cifar20.npz.

    Args:
        data_dir: Folder of CIFAR-100, or `None` to download it.
    """
    arrays, classes = {}, None
    sets = {split: load("cifar100", split, data_dir=data_dir) for split in NAMES}
    with np.load(INDICES) as indices:
        for split, source in SOURCES.items():
            images, places = sets[source], indices[split].astype("int64")
            labels = np.asarray(images.labels)[places]
            classes = np.unique(labels) if classes is None else classes
            arrays[f"x_{split}"] = np.asarray(images.images)[places]
            arrays[f"y_{split}"] = np.searchsorted(classes, labels).astype("uint8")
    arrays["classes"] = np.array([sets["train"].class_names[k] for k in classes])
    return arrays


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("output", help="path of the file to write")
    parser.add_argument("--data-dir", metavar="DIR", help="folder of CIFAR-100")
    options = parser.parse_args()
    np.savez(options.output, **chosen(options.data_dir))
    print(f"{options.output}: written")
