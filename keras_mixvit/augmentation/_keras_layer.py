import contextlib
import random
import sys
import threading
from dataclasses import dataclass, field

import keras
import numpy as np
from keras import ops

from keras_mixvit._checks import require
from keras_mixvit._types import ImageShape, Namespace, Tensor
from keras_mixvit.augmentation._augmentation import Augmentation


@dataclass(frozen=True)
class KerasLayer(Augmentation):
    """A layer of `keras.layers` or of keras-cv as an augmentation.

    The layer runs eagerly in the data set, on Keras's backend (layers of
    keras-cv on TensorFlow), one batch at a time. The data set draws a seed for
    its generators, so that equal seeds give equal batches on one backend. A
    layer that draws once for a batch still does so. Results are rounded to whole
    numbers from 0 to 255. It cannot be part of a compiled step.

    Args:
        layer: Layer from images of 0 to 255, `(B, H, W, C)`, to images of the
            same shape.

    Raises:
        ValueError: If `layer` is not a layer, or changes the shape of images.

    Example:

    ```python
    import keras

    augment = Augment([KerasLayer(keras.layers.RandomRotation(0.1))])
    images = np.zeros((4, 8, 8, 3), "uint8")
    assert augment(np.random.default_rng(0), images).dtype == "uint8"
    ```
    """

    layer: keras.layers.Layer
    # A layer has one state of chance, and a user may index from many threads.
    _lock: threading.Lock = field(
        default_factory=threading.Lock, init=False, repr=False, compare=False
    )

    # Without an annotation they are not arguments of the dataclass.
    needs_bytes = True
    runs_on_device = False
    # Layers draw from Python's generator, as Keras does in the training.
    runs_in_threads = False

    def __post_init__(self):
        require(
            isinstance(self.layer, keras.layers.Layer),
            "`layer` must be a layer.",
            layer=self.layer,
        )

    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        return {"seed": np.full(count, rng.integers(2**31 - 1), "int64")}

    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        if not len(images):
            return images
        with self._lock, seeded(self.layer, int(draws["seed"][0])):
            changed = self.layer(images.astype("float32"), training=True)
        changed = ops.convert_to_numpy(changed)
        require(
            changed.shape == images.shape,
            "`layer` must keep the shape of images.",
            shape=images.shape,
            result=changed.shape,
        )
        return np.clip(np.rint(changed), 0, 255).astype("uint8")


@contextlib.contextmanager
def seeded(layer, value: int):
    """Seeds all generators of a layer, for one call.

    Args:
        layer: Layer.
        value: Integer seed.
    """
    for position, variable in enumerate(layer.variables):
        if variable.path.endswith("seed_generator_state"):
            variable.assign(np.array([value, position], variable.dtype))
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and type(layer).__module__.startswith("keras_cv"):
        tensorflow.random.set_seed(value)
        for position, generator in enumerate(_generators(layer, tensorflow, set())):
            generator.reset_from_seed(value + position)
    # Some layers of Keras choose among operations with Python's generator.
    state = random.getstate()
    random.seed(value)
    try:
        yield
    finally:
        random.setstate(state)


def _generators(item, tensorflow, seen):
    """Generators of TensorFlow in a layer and the layers within it."""
    if id(item) in seen:
        return
    seen.add(id(item))
    if isinstance(item, tensorflow.random.Generator):
        yield item
    elif isinstance(item, keras.layers.Layer):
        yield from _generators(vars(item), tensorflow, seen)
    elif isinstance(item, dict):
        yield from _generators(list(item.values()), tensorflow, seen)
    elif isinstance(item, (list, tuple)):
        for part in item:
            yield from _generators(part, tensorflow, seen)
