import io
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_mixvit.data.sources._image_files import decoded
from keras_mixvit.data.sources._image_source import ImageSource, without_empty


class TFDSImages(ImageSource):
    """Images of a data source of TensorFlow Datasets, decoded on demand.

    Args:
        records: Sequence of dicts whose `key` is the bytes of an image file,
            such as `tfds.data_source(..., decoders={"image":
            tfds.decode.SkipDecoding()})`.
        image_shape: Tuple of integers (H, W, C), C being 1 or 3.
        varies: See `ImageSource`. Defaults to `False`.
        resize_share: See `ImageSource`. Defaults to `None`.
        key: Name of the images in a record. Defaults to `"image"`.
        indices: Integer array of the records to take, or `None` for all.
            Defaults to `None`.

    Raises:
        ValueError: When read, if a record is not an intact image.

    Example:

    ```python
    import io

    file = io.BytesIO()
    keras.utils.save_img(file, np.zeros((8, 8, 3)), file_format="png", scale=False)
    images = TFDSImages([{"image": file.getvalue()}], (8, 8, 3))
    assert images[0].shape == (8, 8, 3)
    ```
    """

    def __init__(
        self,
        records: Sequence[Mapping[str, Any]],
        image_shape: tuple[int, int, int],
        varies: bool = False,
        resize_share: float | None = None,
        key: str = "image",
        indices: np.ndarray | None = None,
    ):
        super().__init__(image_shape, varies, resize_share)
        self.records = records
        self.key = key
        self.indices = indices
        # Readers of older releases of array_record are not made for threads.
        self._lock = threading.Lock()

    def __len__(self):
        return len(self.records if self.indices is None else self.indices)

    @property
    def shards(self) -> np.ndarray | None:
        starts = getattr(self.records, "starts", None)
        if starts is None:
            return None
        if self.indices is not None:
            starts = np.searchsorted(self.indices, starts)
        return without_empty(starts, len(self))

    def original(self, index: int) -> np.ndarray:
        record = index if self.indices is None else int(self.indices[index])
        with self._lock:
            content = self.records[record][self.key]
        return decoded(io.BytesIO(content), f"record {record}", self.image_shape[2])
