import copy

from keras_mixvit._checks import require_positive_integer
from keras_mixvit.data.sources._batch_reader import BatchReader


class ImageBatches(BatchReader):
    """Batches (images, labels) in order, as `ImageSet.batches` makes them.

    Args:
        images: Array or `ImageSource` `(n, H, W, C)`.
        labels: Array `(n,)`.
        batch_size: Positive integer; the last batch may be smaller.
        workers: Integer, threads that prepare batches ahead; `0` prepares each
            batch on request. Defaults to `1`.
    """

    def __init__(self, images, labels, batch_size: int, workers: int = 1):
        super().__init__(workers)
        require_positive_integer("batch_size", batch_size)
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.first = 0

    def rows(self, start: int, stop: int, batch_size: int) -> "ImageBatches":
        """Batches of a part of the images.

        Args:
            start: Integer, the first image.
            stop: Integer, the image after the last one.
            batch_size: Positive integer.
        """
        part = copy.copy(self)
        part.first = self.first + start
        part.labels = self.labels[start:stop]
        part.batch_size = batch_size
        return part

    def __len__(self):
        return -(-len(self.labels) // self.batch_size)

    def _read(self, index):
        start = index * self.batch_size
        labels = self.labels[start : start + self.batch_size]
        start += self.first
        images = self.images[start : start + len(labels)]
        if images.dtype.kind == "f":
            images = images.astype("float32", copy=False)
        return images, labels
