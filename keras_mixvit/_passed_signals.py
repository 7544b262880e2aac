"""Signals that end a process, kept until the processes that it started have ended."""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

# Windows has no SIGHUP, which ends a program whose terminal is closed.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def ending_later() -> Iterator[list[int]]:
    """Lets SIGTERM and SIGHUP wait until the context ends.

    Gives the list of those that came. What is not for this process to handle stays:
    signals that are ignored or have a handler of C, and any other thread than the
    main one.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return
    found = {number: signal.getsignal(number) for number in ENDING}
    handled = {
        number: handler
        for number, handler in found.items()
        if handler not in (signal.SIG_IGN, None)
    }
    for number in handled:
        signal.signal(number, lambda number, frame: came.append(number))
    try:
        yield came
    finally:
        for number, handler in handled.items():
            signal.signal(number, handler)
        for number in came[:1]:
            signal.raise_signal(number)


def stop(processes: list[subprocess.Popen], grace: float = 5.0) -> None:
    """Ends the processes that still run: SIGTERM first, then SIGKILL.

    Args:
        processes: List of processes.
        grace: Seconds between the two. Defaults to `5.0`.
    """
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            # A suspended process obeys nothing else.
            process.kill()
            process.wait()
