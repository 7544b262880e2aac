"""Starts several processes of one program on this machine.

Why not `torch.distributed.run`? If one process fails, it stops the others at once, so
process 0 may not be able to print the reason. A suspended process makes it wait for 30
seconds. And if it cannot start a process, or you press Ctrl-C during the start, the
processes that it has started keep running. `tests/distribution/test_launch_torchrun.py`
shows the first and the last.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TextIO

from keras_mixvit._checks import require_positive_integer
from keras_mixvit._exit_status import CLOSED_PIPE
from keras_mixvit._passed_signals import ending_later, stop

# Seconds for the other processes to end by themselves after one has failed.
GRACE = 10.0


def launch(
    command: list[str],
    count: int,
    grace: float = GRACE,
    tell: Callable[[str], object] = print,
) -> int:
    """Runs a program in several processes of this machine, as `torchrun` does.

    The processes find each other by PyTorch's environment variables. Process 0 prints;
    the output of the others appears only if they fail. When one process fails, `launch`
    waits `grace` seconds and then stops the others. It also stops all processes if it
    cannot start one, if you press Ctrl-C, or if SIGTERM or SIGHUP ends this process.

    Args:
        command: List of strings, the program and its arguments.
        count: Integer, the number of processes.
        grace: Seconds from the first failure until it stops the others.
            Defaults to `10.0`.
        tell: Function that it calls with each sentence about what happened.
            Defaults to `print`.

    Returns:
        0, or the exit status of the first process that failed; 1 if a signal ended it.
        It prints nothing for 141, the status of the command after the reader of its
        output has ended.

    Raises:
        ValueError: If `count` is not a positive integer.
        OSError: If a process cannot be started.

    Example:

    ```python
    assert launch(["python3", "-c", "print('trained')"], count=1) == 0
    ```
    """
    require_positive_integer("count", count)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    threads = str(max(1, (os.cpu_count() or 1) // count))
    # Closes the logs before it removes their folder.
    with (
        ending_later() as signals,
        tempfile.TemporaryDirectory() as folder,
        contextlib.ExitStack() as stack,
    ):
        processes: list[subprocess.Popen] = []
        # Process 0 has none.
        logs: list[TextIO | None] = [None]
        for index in range(1, count):
            opened = open(os.path.join(folder, str(index)), "w+")  # noqa: SIM115
            logs.append(stack.enter_context(opened))
        try:
            for index, log in enumerate(logs):
                own = {"RANK": str(index), "LOCAL_RANK": str(index)}
                size = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
                # Shares the cores between the processes, unless the user set the
                # variable.
                shared = {"OMP_NUM_THREADS": threads, **os.environ}
                environment = {**shared, **address, **own, **size}
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                )
                if signals:
                    break
            failed = _watch(processes, grace, signals)
        except BaseException:
            # After Ctrl-C or a failed start, no process may keep running.
            stop(processes, grace)
            raise
        if failed is None:
            return 0
        if any(process.returncode == CLOSED_PIPE for process in processes):
            # The reader of the output has ended; the others fail without process 0.
            return CLOSED_PIPE
        log = logs[failed]
        if log is not None and not signals:
            log.seek(0)
            for line in log.read().strip().splitlines()[-5:]:
                tell(line)
    status = processes[failed].returncode
    tell(
        f"Process {failed} of {count} {_ending(status)}; the others were stopped. "
        "What was saved is kept: a run resumes with `keras-mixvit resume RUN`."
    )
    return max(status, 1)


def _watch(processes, grace, signals):
    """The first process that failed, when all have ended, or `None`.

    `signals` receives the signals that end this process and the others.
    """
    failed = deadline = None
    while True:
        statuses = [process.poll() for process in processes]
        failing = [i for i, status in enumerate(statuses) if status]
        if failed is None and failing:
            # If a signal ended one, the others failed because of it.
            failed = min(failing, key=lambda i: statuses[i])
            deadline = time.monotonic() + grace
        if None not in statuses:
            return failed
        if signals or (deadline is not None and time.monotonic() > deadline):
            stop(processes, grace)
        time.sleep(0.1)


def _ending(status):
    if status >= 0:
        return f"ended with status {status}"
    try:
        return f"was ended by {signal.Signals(-status).name}"
    except ValueError:
        return f"was ended by signal {-status}"


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def this_program(arguments: list[str]) -> list[str]:
    """The command that runs this `keras-mixvit` again.

    Args:
        arguments: List of strings.
    """
    return [sys.executable, "-m", "keras_mixvit.cli", *arguments]
