"""The facts that you need to repeat a run: versions, device, data."""

import hashlib
import importlib
import platform

import keras
import numpy as np

from keras_mixvit._version import __version__
from keras_mixvit.data import ImageSet

SAMPLED_IMAGES = 64


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that compute."""
    backend = keras.config.backend()
    return {
        "python": platform.python_version(),
        "keras_mixvit": __version__,
        "keras": keras.version(),
        "numpy": np.__version__,
        backend: importlib.import_module(backend).__version__,
    }


def device() -> str:
    """The default accelerator, or the processor."""
    backend = keras.config.backend()
    if backend == "jax":
        import jax

        found = jax.devices()
        return f"{len(found)} x {found[0].device_kind}"
    if backend == "tensorflow":
        import tensorflow as tf

        found = tf.config.list_physical_devices("GPU")
        names = [
            tf.config.experimental.get_device_details(gpu).get("device_name", gpu.name)
            for gpu in found
        ]
    else:
        import torch

        count = torch.cuda.device_count()
        names = [torch.cuda.get_device_name(place) for place in range(count)]
    return f"{len(names)} x {names[0]}" if names else "1 x cpu"


def fingerprint(sets: dict[str, ImageSet]) -> str:
    """A hash that identifies sets of images.

    It covers shapes, dtypes, names of classes, all labels, and only 64 images of each
    set, so it is fast if images are read from files.

    Args:
        sets: Dict from splits to `ImageSet`.

    Returns:
        String of 64 hexadecimal digits.
    """
    found = hashlib.sha256()
    for split, images in sorted(sets.items()):
        shape = tuple(images.images.shape)
        facts = (split, shape, str(images.images.dtype), tuple(images.class_names))
        found.update(repr(facts).encode())
        found.update(np.ascontiguousarray(images.labels, "int64").tobytes())
        count = min(SAMPLED_IMAGES, shape[0])
        places = np.linspace(0, shape[0] - 1, count).astype("int64")
        found.update(np.ascontiguousarray(images.images[places]).tobytes())
    return found.hexdigest()
