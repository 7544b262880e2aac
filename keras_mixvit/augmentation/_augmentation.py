import abc

import numpy as np

from keras_mixvit._types import ImageShape, Namespace, Tensor


class Augmentation(abc.ABC):
    """Base of all augmentations: draws random numbers, and applies them.

    A subclass defines `draw`, a pure function of its generator in NumPy, and
    `apply`, which is written for an array namespace: `numpy` in the pipeline,
    `keras.ops` in a compiled step. Set `keeps_bytes` to `False` if results are
    not whole numbers from 0 to 255, and `needs_bytes` to `True` if inputs must
    be. Set `runs_on_device` to `False` if it cannot be part of a compiled step,
    and `runs_in_threads` to `False` if it must run in the thread of the
    training, because it shares a global generator.
    """

    keeps_bytes = True
    needs_bytes = False
    runs_on_device = True
    runs_in_threads = True

    @abc.abstractmethod
    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        """Draws the random numbers for some images.

        Args:
            rng: The only source of chance.
            count: Integer B, the number of images.
            image_shape: Tuple of integers (H, W, C).

        Returns:
            Dict of arrays `(B, ...)`.
        """

    @abc.abstractmethod
    def apply(
        self, images: Tensor, draws: dict[str, Tensor], xp: Namespace = np
    ) -> Tensor:
        """Changes images by the given draws.

        Args:
            images: Array `(B, H, W, C)` in 0 to 255, in NumPy uint8 or float32,
                otherwise float32. It must not be changed in place.
            draws: Dict that `draw` returned.
            xp: Array namespace. Defaults to `numpy`.

        Returns:
            Array `(B, H, W, C)`, in NumPy uint8 or float32.
        """

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        """Shape (H, W, C) of the results for images of a shape."""
        return image_shape
