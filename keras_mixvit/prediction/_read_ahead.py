"""Parts of the images, which few threads read ahead."""

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

# Small, so that the threads share the images of one batch.
PART = 16


class Part(NamedTuple):
    """Some images in order.

    Fields:
        names: List of strings.
        read: Function, called in a thread, that gives for each image its pixels, as
            the network takes them, or a sentence on why there are none.
    """

    names: list[str]
    read: Callable[[], list[np.ndarray | str]]


def read_ahead(
    parts: Iterable[Part], workers: int, waiting: int
) -> Generator[tuple[str, np.ndarray | str], None, None]:
    """Names and pixels of images, in order.

    No more than `waiting` parts are read before the caller asks for them, so the
    memory does not depend on the number of images.

    Args:
        parts: Iterable of `Part`.
        workers: Integer, the number of threads; `0` reads in this one.
        waiting: Positive integer.
    """
    if not workers:
        for part in parts:
            yield from zip(part.names, part.read(), strict=True)
        return
    queue: deque = deque()
    with ThreadPoolExecutor(workers, "keras_mixvit-predict") as pool:
        try:
            for part in parts:
                queue.append((part.names, pool.submit(part.read)))
                if len(queue) > waiting:
                    names, future = queue.popleft()
                    yield from zip(names, future.result(), strict=True)
            while queue:
                names, future = queue.popleft()
                yield from zip(names, future.result(), strict=True)
        finally:
            # A caller that has enough waits for few images at most.
            for _, future in queue:
                future.cancel()
