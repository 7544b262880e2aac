import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time

from keras_mixvit._checks import require_positive_integer

# Seconds that processes have to end by themselves after one has failed.
GRACE = 10.0


def launch(command: list[str], count: int, grace: float = GRACE, tell=print) -> int:
    """Runs a program in several processes of this machine, as `torchrun` does.

    They find each other by PyTorch's environment variables. Process 0 prints;
    of the others is told what they said if they fail. When one ends with an
    error, the others are given a moment and then stopped.

    Args:
        command: List of strings, the program and its arguments.
        count: Integer, how many processes.
        grace: Seconds from the first failure until the others are stopped.
            Defaults to `10.0`.
        tell: Function that is given what happened, in sentences. Defaults to
            `print`.

    Returns:
        0, or the exit status of the first process that failed, 1 for one that
        was killed.

    Raises:
        ValueError: If `count` is not a positive integer.

    Example:

    ```python
    assert launch(["python3", "-c", "print('trained')"], count=1) == 0
    ```
    """
    require_positive_integer("count", count)
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port())}
    threads = str(max(1, (os.cpu_count() or 1) // count))
    # Logs are closed before their folder is removed.
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        processes, logs = [], [None]
        for index in range(1, count):
            log = open(os.path.join(folder, str(index)), "w+")  # noqa: SIM115
            logs.append(stack.enter_context(log))
        try:
            for index, log in enumerate(logs):
                own = {"RANK": str(index), "LOCAL_RANK": str(index)}
                size = {"WORLD_SIZE": str(count), "LOCAL_WORLD_SIZE": str(count)}
                # As many threads in all as there are cores, unless the user set it.
                shared = {"OMP_NUM_THREADS": threads, **os.environ}
                environment = {**shared, **address, **own, **size}
                processes.append(
                    subprocess.Popen(command, env=environment, stdout=log, stderr=log)
                )
            failed = _watch(processes, grace)
        except BaseException:
            # Ctrl-C, or one that could not be started: none may go on alone.
            _stop(processes, grace)
            raise
        if failed is None:
            return 0
        if logs[failed] is not None:
            logs[failed].seek(0)
            said = logs[failed].read().strip().splitlines()
            for line in said[-5:]:
                tell(line)
    status = processes[failed].returncode
    tell(
        f"Process {failed} of {count} {_ending(status)}; the others were stopped. "
        "What was saved is kept: a run goes on with `keras-mixvit resume RUN`."
    )
    return max(status, 1)


def _watch(processes, grace):
    """The first process that failed, when all have ended, or `None`."""
    failed = deadline = None
    while True:
        statuses = [process.poll() for process in processes]
        failing = [i for i, status in enumerate(statuses) if status]
        if failed is None and failing:
            # One that was killed is why others fail.
            failed = min(failing, key=lambda i: statuses[i])
            deadline = time.monotonic() + grace
        if None not in statuses:
            return failed
        if deadline is not None and time.monotonic() > deadline:
            _stop(processes, grace)
        time.sleep(0.1)


def _stop(processes, grace):
    """Ends what still runs, the friendly way first."""
    running = [process for process in processes if process.poll() is None]
    for process in running:
        process.terminate()
    deadline = time.monotonic() + grace
    for process in running:
        try:
            process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            # A process that was suspended answers to nothing else.
            process.kill()
            process.wait()


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
    """The command that runs `keras-mixvit` once more.

    Args:
        arguments: List of strings.
    """
    return [sys.executable, "-m", "keras_mixvit.cli", *arguments]
