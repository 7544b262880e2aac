import abc

import numpy as np

from keras_mixvit._types import ImageShape, Namespace, Tensor


class Augmentation(abc.ABC):
    """A change of images whose chance is drawn in NumPy, apart from the change.

    A subclass gives `draw`, a pure function of its generator, and `apply`,
    which is written against an array namespace: `numpy` in the pipeline,
    `keras.ops` in a compiled step. One that makes other than whole numbers
    from 0 to 255 sets `keeps_bytes` to `False`, one that works on nothing
    else sets `needs_bytes` to `True`. One that cannot be part of a compiled
    step sets `runs_on_device` to `False`, and one that must run in the thread
    of the training, as it shares a global generator, `runs_in_threads`.
    """

    keeps_bytes = True
    needs_bytes = False
    runs_on_device = True
    runs_in_threads = True

    @abc.abstractmethod
    def draw(
        self, rng: np.random.Generator, count: int, image_shape: ImageShape
    ) -> dict[str, np.ndarray]:
        """Draws what is done to each of some images.

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
        """Changes images as was drawn.

        Args:
            images: Array `(B, H, W, C)` in 0 to 255, in NumPy uint8 or
                float32, else float32. It is left as it is.
            draws: What `draw` gave.
            xp: Array namespace. Defaults to `numpy`.

        Returns:
            Array `(B, H, W, C)`, in NumPy uint8 or float32.
        """

    def output_shape(self, image_shape: ImageShape) -> ImageShape:
        """Shape (H, W, C) of what images of a shape become."""
        return image_shape
