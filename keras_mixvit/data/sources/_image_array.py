import os

import numpy as np
import numpy.typing as npt

from keras_mixvit._checks import require, require_image_size
from keras_mixvit.data.sources._image_source import Crop, ImageSource


class ImageArray(ImageSource):
    """Images of an array, or of a `.npy` file that stays on the disk.

    Args:
        images: uint8 array `(n, h, w, C)`, or the path of a `.npy` file of
            one, which is mapped into memory.
        image_size: Integer, or tuple of integers (H, W), to which images are
            resized when they are read, or `None` for their own. Defaults to
            `None`.
        resize_share: See `ImageSource`. Defaults to `None`.

    Raises:
        ValueError: If the array is not as above, or the file is damaged.

    Example:

    ```python
    np.save("images.npy", np.zeros((100, 32, 32, 3), "uint8"))
    images = ImageArray("images.npy", image_size=(64, 64))
    assert images.shape == (100, 64, 64, 3) and images[2:4].shape == (2, 64, 64, 3)
    ```
    """

    def __init__(
        self,
        images: np.ndarray | str | os.PathLike,
        image_size: int | tuple[int, int] | None = None,
        resize_share: float | None = None,
    ):
        if isinstance(images, (str, os.PathLike)):
            images = mapped(images)
        require(
            isinstance(images, np.ndarray),
            "`images` must be a NumPy array or the path of a .npy file.",
            images=images,
        )
        require(
            images.dtype == np.uint8 and images.ndim == 4,
            "`images` must be uint8 of shape (n, H, W, C).",
            dtype=str(images.dtype),
            shape=images.shape,
        )
        own = images.shape[1:3]
        size = require_image_size(image_size) or own
        super().__init__((*size, images.shape[3]), size != own, resize_share)
        self.images = images

    def __len__(self):
        return len(self.images)

    def original(self, index: int) -> np.ndarray:
        return self.images[index]

    def read(self, indices: npt.ArrayLike, crop: Crop | None = None) -> np.ndarray:
        if crop is None and not self.varies:
            return np.array(self.images[np.asarray(indices)])
        return super().read(indices, crop)


def mapped(path) -> np.ndarray:
    """The array of a .npy file, mapped into memory."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:
        raise ValueError(
            "A file must be an intact .npy file without pickled objects. Received: "
            f"file={str(path)!r}"
        ) from error
