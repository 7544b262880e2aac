"""Delays signals that end a process until the processes that it started have ended."""

import contextlib
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

# Windows has no SIGHUP, which ends a program when its terminal closes.
ENDING = tuple(
    getattr(signal, name) for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)
)


@contextlib.contextmanager
def ending_later() -> Iterator[list[int]]:
    """Delays SIGTERM and SIGHUP until the context ends.

    It yields the list of received signals. It does not change signals that are ignored
    or have a C handler, and does nothing outside of the main thread.
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
    """Ends the processes that are still running: SIGTERM first, then SIGKILL.

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
            # A suspended process reacts to nothing else.
            process.kill()
            process.wait()
