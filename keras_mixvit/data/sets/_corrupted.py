import os
from pathlib import Path

import numpy as np

from keras_mixvit._checks import (
    require,
    require_choice,
    require_known,
    require_path,
)
from keras_mixvit.data.sets._cifar import CLASSES, MEAN, STD
from keras_mixvit.data.sources._image_array import mapped
from keras_mixvit.data.sources._image_set import ImageSet

FOLDERS = {"cifar10": "CIFAR-10-C", "cifar100": "CIFAR-100-C"}
SEVERITIES = 5
# The benchmark, in the order of its paper.
CORRUPTIONS = (
    *("gaussian_noise", "shot_noise", "impulse_noise"),
    *("defocus_blur", "glass_blur", "motion_blur", "zoom_blur"),
    *("snow", "frost", "fog", "brightness"),
    *("contrast", "elastic_transform", "pixelate", "jpeg_compression"),
)
EXTRA_CORRUPTIONS = ("speckle_noise", "gaussian_blur", "spatter", "saturate")


def load_corrupted(
    name: str, corruption: str, severity: int, data_dir: str | os.PathLike
) -> ImageSet:
    """Loads a part of CIFAR-10-C or CIFAR-100-C, which stays on the disk.

    The published folder holds a file of 50,000 images per corruption, 10,000
    for each severity, in order, and `labels.npy`. The benchmark is the mean
    over the 15 `CORRUPTIONS` and the severities; `"speckle_noise"`,
    `"gaussian_blur"`, `"spatter"` and `"saturate"` do not count.

    Args:
        name: `"cifar10"` or `"cifar100"`.
        corruption: String, such as `"fog"`.
        severity: Integer, 1 to 5.
        data_dir: Path of the folder CIFAR-10-C or CIFAR-100-C, or of the folder
            that holds it.

    Returns:
        An `ImageSet` of the test images, corrupted.

    Raises:
        ValueError: If an argument is not as above, or a file is missing or not
            as published.

    Example:

    ```python
    Path("CIFAR-10-C").mkdir()
    np.save("CIFAR-10-C/fog.npy", np.zeros((50000, 32, 32, 3), "uint8"))
    np.save("CIFAR-10-C/labels.npy", np.arange(50000) % 10)
    foggy = load_corrupted("cifar10", "fog", severity=5, data_dir=".")
    assert foggy.images.shape == (10000, 32, 32, 3)
    ```

    References:
        D. Hendrycks, T. Dietterich, *Benchmarking Neural Network Robustness to
        Common Corruptions and Perturbations*, ICLR 2019.
    """
    require_choice("name", name, FOLDERS)
    require_known("corruption", corruption, (*CORRUPTIONS, *EXTRA_CORRUPTIONS))
    require_choice("severity", severity, tuple(range(1, SEVERITIES + 1)))
    require_path("data_dir", data_dir)
    folder = Path(data_dir)
    if (folder / FOLDERS[name]).is_dir():
        folder = folder / FOLDERS[name]
    paths = folder / f"{corruption}.npy", folder / "labels.npy"
    missing = [path.name for path in paths if not path.is_file()]
    require(
        not missing,
        f"`data_dir` must be the folder {FOLDERS[name]}, or hold it.",
        data_dir=str(data_dir),
        missing=missing,
    )
    images, labels = (mapped(path) for path in paths)
    require(
        images.dtype == np.uint8
        and images.shape[1:] == (32, 32, 3)
        and len(images) % SEVERITIES == 0
        and labels.shape == images.shape[:1],
        f"{FOLDERS[name]} must hold uint8 images of shape (50000, 32, 32, 3) and as "
        "many labels.",
        file=str(paths[0]),
        dtype=str(images.dtype),
        shape=images.shape,
        labels=labels.shape,
    )
    count = len(images) // SEVERITIES
    part = slice((severity - 1) * count, severity * count)
    return ImageSet(images[part], np.array(labels[part]), CLASSES[name], MEAN, STD)
