"""Whether image files can be read, found by reading all of them."""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from keras_mixvit.data.sources._image_files import decoded

# A task per file of a million would itself take much memory.
CHUNK = 4096
ON_ERROR = ("when_read", "refuse", "skip")
LISTED = 20


def damaged_files(folder, files: Sequence[str], channels: int) -> dict[str, str]:
    """Damaged image files, with their errors.

    Every file is decoded once, by as many threads as there are processors. A bar
    shows the progress if the standard error is a terminal.

    Args:
        folder: Path of the folder of the files.
        files: Sequence of names below the folder.
        channels: 1 or 3, what the images are read as.

    Returns:
        Dict from names to errors, in the order of the files.
    """

    def failure(name):
        path = os.path.join(folder, name)
        try:
            decoded(path, path, channels)
        except ValueError as error:
            return str(error.__cause__ or error)
        return None

    found = for_all(failure, files, f"Reading {len(files):,} images")
    return {name: error for name, error in found if error is not None}


def for_all(function: Callable, items: Sequence, about: str) -> Iterator[tuple]:
    """Pairs of items and the results of a function, in their order.

    Args:
        function: Function of one item, called in several threads.
        items: Sequence.
        about: String, the title of a progress bar.
    """
    with (
        shown(about, len(items)) as advance,
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):
        for start in range(0, len(items), CHUNK):
            stop = min(start + CHUNK, len(items))
            part = [items[i] for i in range(start, stop)]
            # Pillow decodes without Python's lock.
            for item, result in zip(part, pool.map(function, part), strict=True):
                advance()
                yield item, result


class shown:
    """A progress bar on a terminal, and nothing elsewhere.

    Args:
        about: What it says.
        total: Integer, how many steps there are.
    """

    def __init__(self, about: str, total: int):
        self.about, self.total = about, total
        self.bar: Any = None

    def __enter__(self) -> Callable[[], None]:
        if not sys.stderr.isatty():
            return lambda: None
        from rich.console import Console
        from rich.progress import Progress

        self.bar = bar = Progress(console=Console(stderr=True), transient=True)
        bar.start()
        task = bar.add_task(self.about, total=self.total)
        return lambda: bar.advance(task)

    def __exit__(self, *error) -> None:
        if self.bar is not None:
            self.bar.stop()


def listed(damaged: dict[str, str]) -> str:
    """Some damaged files in words, one per line."""
    lines = [f"  {name}: {error}" for name, error in list(damaged.items())[:LISTED]]
    if len(damaged) > LISTED:
        lines.append(f"  and {len(damaged) - LISTED:,} more")
    return "\n".join(lines)
