"""A lock, so that only one study runs in a folder."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

from keras_mixvit._checks import require

try:
    import fcntl
except ImportError:  # Windows does not have these locks.
    fcntl = None  # type: ignore[assignment]


def is_locked(folder: Path) -> bool:
    """Whether a study is running in a folder.

    Args:
        folder: Path of the folder.
    """
    try:
        with locked(folder):
            return False
    except ValueError:
        return True


@contextlib.contextmanager
def locked(folder: Path) -> Iterator[tuple[int, ...]]:
    """Keeps other studies out of a folder, until this one and its processes end.

    It yields the descriptors that the processes must keep open. So if a study is
    killed, its remaining trainings keep other studies out, too.

    Args:
        folder: Path of the folder, which is created.

    Raises:
        ValueError: If another study is running in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if fcntl is None:
        yield ()
        return
    with (folder / "lock").open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            require(
                False,
                "`runs` must not be in use: the same study, or a process that it "
                "started, still runs there.",
                runs=str(folder),
            )
        yield (file.fileno(),)
