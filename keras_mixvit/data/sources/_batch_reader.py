import abc
import contextlib

import keras

from keras_mixvit._checks import require, require_positive_integer
from keras_mixvit.data.sources._read_ahead import ReadAhead

NOT_KERAS = (
    "must not be set: Keras's own threads lose and repeat batches. Pass `workers` "
    "when you make the data set."
)


class BatchReader(keras.utils.PyDataset, abc.ABC):
    """A `PyDataset` that prepares its next batches in threads of its own.

    Keras 3.15 looks at the first batches before it trains or evaluates. If you
    give it several workers, the first pass then loses and repeats batches. Here,
    Keras sees one worker, and `__getitem__` hides the threads.

    A subclass defines `__len__`, `_read(*key)` and, unless the key of a batch is
    its index alone, `_context()`, the part of the key before the index. A batch
    must depend on its key alone.

    Args:
        workers: Integer, threads that prepare batches ahead; `0` prepares each
            batch on request. Defaults to `1`.

    Raises:
        ValueError: If `workers` is not a non-negative integer.
    """

    def __init__(self, workers: int = 1):
        super().__init__()
        require_positive_integer("workers", workers, minimum=0)
        self.reading_workers = workers
        self._ahead = ReadAhead(self._read, workers)

    @abc.abstractmethod
    def _read(self, *key):
        """The batch of a key; called in several threads."""

    def _context(self) -> tuple:
        """The key of a batch without its index."""
        return ()

    def __getitem__(self, index):
        return self._get(index, *self._context())

    def _get(self, index, *context):
        if not 0 <= index < len(self):
            raise IndexError(f"`index` must be in 0 to {len(self) - 1}. Got {index}.")
        stop = min(index + 1 + self._ahead.depth, len(self))
        following = [(*context, i) for i in range(index + 1, stop)]
        return self._ahead.get((*context, index), following)

    def close(self) -> None:
        """Stops the threads and discards the batches they prepared.

        `fit`, `evaluate` and `predict` of this library's models call it when
        they end, also by an error. You can use the data set again afterwards.
        """
        self._ahead.close()

    @property
    def workers(self) -> int:
        """`1`, for Keras. The data set's own threads are `reading_workers`."""
        return 1

    @workers.setter
    def workers(self, workers):
        require(False, f"`workers` {NOT_KERAS}", workers=workers)

    @property
    def use_multiprocessing(self) -> bool:
        """`False`: no processes prepare batches."""
        return False

    @use_multiprocessing.setter
    def use_multiprocessing(self, value):
        require(False, f"`use_multiprocessing` {NOT_KERAS}", use_multiprocessing=value)

    def __getstate__(self):
        # A copy starts its own threads, and a file holds none.
        return {k: v for k, v in vars(self).items() if k != "_ahead"}

    def __setstate__(self, state):
        self.__dict__.update(state)
        self._ahead = ReadAhead(self._read, self.reading_workers)


@contextlib.contextmanager
def closing(*data, batches_per_call: int | None = None):
    """Closes every `BatchReader` among some data, also after an error.

    Args:
        *data: Anything.
        batches_per_call: Integer, how many batches the caller takes at once. At
            least as many are prepared ahead. `None` changes nothing. Defaults to
            `None`.
    """
    readers = [item for item in data if isinstance(item, BatchReader)]
    before = [reader._ahead.batches_per_call for reader in readers]
    if batches_per_call is not None:
        for reader in readers:
            reader._ahead.batches_per_call = batches_per_call
    try:
        yield
    finally:
        for reader, count in zip(readers, before, strict=True):
            reader._ahead.batches_per_call = count
            reader.close()
