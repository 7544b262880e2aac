"""The launcher of several processes."""

import contextlib
import errno
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import time

import pytest

from keras_mixvit.distribution import launch

SHOW = """
import json, os, sys
names = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "MASTER_ADDR")
found = [os.environ[name] for name in names]
open(sys.argv[1] + os.environ["RANK"], "w").write(json.dumps(found))
"""
FAIL = """
import os, signal, sys, time
if os.environ["RANK"] == "1":
    print("what process 1 says", file=sys.stderr)
    {}
time.sleep(60)
"""


def test_processes_are_told_who_they_are(tmp_path):
    place = f"{tmp_path}/"
    assert launch([sys.executable, "-c", SHOW, place], 2) == 0
    for rank in ("0", "1"):
        found = json.loads((tmp_path / rank).read_text())
        assert found == [rank, rank, "2", "2", "127.0.0.1"]


@pytest.mark.parametrize(
    ("end", "status", "ending"),
    [
        ("sys.exit(3)", 3, "ended with status 3"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 1, "was ended by SIGKILL"),
    ],
)
def test_one_that_fails_stops_the_others_and_is_told(end, status, ending):
    told = []
    command = [sys.executable, "-c", FAIL.format(end)]
    assert launch(command, 2, grace=0.2, tell=told.append) == status
    assert told == [
        "what process 1 says",
        f"Process 1 of 2 {ending}; the others were stopped. What was saved is kept: a "
        "run resumes with `keras-mixvit resume RUN`.",
    ]


@pytest.fixture
def started(monkeypatch):
    """Logs that `launch` opens and processes that it starts, as lists."""
    # The function hides its module, whose name is the same.
    module = importlib.import_module("keras_mixvit.distribution._launch")
    start, logs, processes = subprocess.Popen, [], []

    def opened(*arguments):
        logs.append(open(*arguments))  # noqa: SIM115
        return logs[-1]

    def popen(*arguments, **options):
        processes.append(start(*arguments, **options))
        return processes[-1]

    monkeypatch.setattr(module, "open", opened, raising=False)
    monkeypatch.setattr(subprocess, "Popen", popen)
    yield logs, processes
    for process in processes:
        process.kill()
        process.wait()


def assert_nothing_is_left(started, count):
    logs, processes = started
    assert len(logs) == 2
    assert all(log.closed for log in logs)
    assert not any(os.path.exists(os.path.dirname(log.name)) for log in logs)
    assert len(processes) == count
    assert all(process.returncode is not None for process in processes)


@pytest.mark.parametrize("status", [0, 3])
def test_logs_are_closed_whatever_the_status(status, started):
    command = [sys.executable, "-c", f"import sys; sys.exit({status})"]
    assert launch(command, 3, grace=5.0, tell=lambda text: None) == status
    assert_nothing_is_left(started, 3)


WAIT = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_a_process_that_cannot_be_started_stops_the_first(started, monkeypatch):
    _, processes = started
    start = subprocess.Popen

    def popen(*arguments, **options):
        if processes:
            raise OSError(errno.EAGAIN, "no more processes")
        return start(*arguments, **options)

    monkeypatch.setattr(subprocess, "Popen", popen)
    with pytest.raises(OSError, match="no more processes"):
        launch(WAIT, 3)
    assert_nothing_is_left(started, 1)
    assert processes[0].returncode == -signal.SIGTERM


def test_an_interrupt_stops_all_processes(started, monkeypatch):
    module = importlib.import_module("keras_mixvit.distribution._launch")

    def interrupted(processes, grace, signals):
        raise KeyboardInterrupt

    monkeypatch.setattr(module, "_watch", interrupted)
    with pytest.raises(KeyboardInterrupt):
        launch(WAIT, 3)
    assert_nothing_is_left(started, 3)


# The launcher needs no Keras, which the package around it imports.
LAUNCH = """
import sys, types
sys.argv[0] = "keras-mixvit"
import keras_mixvit
package = types.ModuleType("keras_mixvit.distribution")
package.__path__ = [keras_mixvit.__path__[0] + "/distribution"]
sys.modules[package.__name__] = package
from keras_mixvit.distribution._launch import launch
{}
wait = "import os, sys, time; print(os.getpid(), file=open(sys.argv[1] + "
wait += "os.environ['RANK'], 'w')); time.sleep(60)"
launch([sys.executable, "-c", wait, sys.argv[1]], 2, grace=5.0)
print("went on")
"""
OWN = """
import signal
signal.signal(signal.SIGTERM, lambda number, frame: print("own handler"))
"""


def is_running(pid):
    """Whether there is a process of that number."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def until(condition):
    """Waits for at most 30 seconds."""
    end = time.monotonic() + 30
    while not condition() and time.monotonic() < end:
        time.sleep(0.05)
    return condition()


@pytest.mark.parametrize(
    ("name", "before", "status", "out"),
    [
        ("SIGTERM", "", -signal.SIGTERM, ""),
        ("SIGHUP", "", -signal.SIGHUP, ""),
        ("SIGTERM", OWN, 0, "own handler"),
    ],
)
def test_a_signal_that_ends_the_launcher_ends_its_processes(
    name, before, status, out, tmp_path
):
    number = getattr(signal, name)
    if signal.getsignal(number) is signal.SIG_IGN:
        pytest.skip(f"{name} is ignored here, as nohup has it.")
    place = f"{tmp_path}/"
    launcher = subprocess.Popen(
        [sys.executable, "-c", LAUNCH.format(before), place],
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    files = [tmp_path / "0", tmp_path / "1"]
    try:
        assert until(lambda: all(x.exists() and x.read_text() for x in files))
        launcher.send_signal(number)
        told, _ = launcher.communicate(timeout=30)
        assert launcher.returncode == status
        assert told.startswith(out)
        assert ("went on" in told) == bool(out)
        for file in files:
            pid = int(file.read_text())
            assert until(lambda pid=pid: not is_running(pid))
    finally:
        # Nothing that the test started outlives it.
        with contextlib.suppress(ProcessLookupError):
            os.killpg(launcher.pid, signal.SIGKILL)
        launcher.wait()


@pytest.mark.parametrize("first", ["0", "1"])
def test_of_output_that_nobody_reads_nothing_is_told(first):
    told = []
    # The other process may be the first to end, as it misses process 0.
    end = f"""if True:
        import os, sys, time
        rank = os.environ["RANK"]
        time.sleep(0 if rank == "{first}" else 1)
        sys.exit(141 if rank == "0" else 1)
    """
    command = [sys.executable, "-c", end]
    assert launch(command, 2, grace=5.0, tell=told.append) == 141
    assert told == []


def test_no_processes_are_refused():
    message = "`count` must be an integer of at least 1. Received: count=0"
    with pytest.raises(ValueError, match=re.escape(message)):
        launch([sys.executable], 0)
