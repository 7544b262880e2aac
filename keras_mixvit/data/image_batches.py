import keras

from keras_mixvit._checks import require_positive_integer


class ImageBatches(keras.utils.PyDataset):
    """Batches (images, labels) in order, as `ImageSet.batches` makes them.

    Args:
        images: Array or `ImageSource` `(n, H, W, C)`.
        labels: Array `(n,)`.
        batch_size: Positive integer; the last batch may be smaller.
        workers: Integer, threads that prepare batches. Defaults to `1`.
    """

    def __init__(self, images, labels, batch_size: int, workers: int = 1):
        super().__init__(workers=workers)
        require_positive_integer("batch_size", batch_size)
        self.images = images
        self.labels = labels
        self.batch_size = batch_size

    def __len__(self):
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in 0 to {len(self) - 1}. Got {index}.")
        part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        images = self.images[part]
        if images.dtype.kind == "f":
            images = images.astype("float32", copy=False)
        return images, self.labels[part]
