import threading
import weakref
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

# Batches that wait for the step, for each thread that prepares them.
AHEAD_PER_WORKER = 2


class ReadAhead:
    """Prepares the next batches in threads while a step runs.

    Batches must be pure functions of their keys. Then nothing depends on the
    threads: a batch that nobody takes is discarded, and an unexpected one is
    prepared on request.

    It starts with the second of consecutive batches, so that a single batch
    prepares no other one, and stops its threads after the last.

    Args:
        read: Method of the parts of a key that gives its batch; any thread
            may call it. Its object is not kept alive.
        workers: Integer, the number of threads. `0` prepares every batch in
            the thread that asks for it.

    Attributes:
        batches_per_call: Integer, how many batches the caller takes at once. As
            many are prepared while the device works on the ones before.
    """

    def __init__(self, read: Callable, workers: int):
        self.workers = workers
        self.batches_per_call = 1
        # A strong one would keep the threads of a forgotten data set running.
        self._method: Callable[[], Any] = weakref.WeakMethod(read)
        self._lock = threading.Lock()
        self._ahead: dict[tuple, Future] = {}
        self._expected: tuple | None = None
        self._pool: ThreadPoolExecutor | None = None
        # One that got its last batch, whose threads may not have ended yet.
        self._ending: ThreadPoolExecutor | None = None

    @property
    def depth(self) -> int:
        """How many batches are prepared ahead at most."""
        if not self.workers:
            return 0
        return max(AHEAD_PER_WORKER * self.workers, self.batches_per_call)

    def get(self, key: tuple, following: Sequence[tuple]):
        """The batch of a key.

        Args:
            key: Tuple, the key of the batch.
            following: Keys of the next batches, at most `depth` of them.
        """
        read = self._method()
        if not self.workers:
            return read(*key)
        with self._lock:
            future = self._ahead.pop(key, None)
            is_next = future is not None or key == self._expected
            self._expected = following[0] if following else None
            self._foresee(following, is_next)
        return read(*key) if future is None else future.result()

    def close(self) -> None:
        """Discards prepared batches, and waits for the threads to end."""
        with self._lock:
            self._expected = None
            self._drop(self._ahead)
            self._stop()
            pool, self._ending = self._ending, None
        if pool is not None:
            pool.shutdown(wait=True)

    def _foresee(self, keys, starts):
        self._drop(self._ahead.keys() - set(keys))
        if starts:
            for key in keys:
                if key not in self._ahead:
                    self._ahead[key] = self._submit(key)
        if not self._ahead:
            self._stop()

    def _submit(self, key):
        if self._pool is None:
            self._pool = ThreadPoolExecutor(self.workers, "keras_mixvit-data")
        return self._pool.submit(self._method(), *key)

    def _drop(self, keys):
        for key in list(keys):
            self._ahead.pop(key).cancel()

    def _stop(self):
        """Lets the threads end after the batches that a caller waits for."""
        if self._pool is None:
            return
        self._pool.shutdown(wait=False)
        if self._ending is not None:
            # That of an earlier epoch has long ended.
            self._ending.shutdown(wait=True)
        self._ending, self._pool = self._pool, None
