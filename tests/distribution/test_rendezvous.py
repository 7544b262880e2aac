"""Where processes meet before JAX connects them, and what JAX does without."""

import re
import signal
import subprocess
import sys
import threading

import keras
import pytest

from keras_mixvit.distribution._rendezvous import wait_for_processes
from tests.distribution.processes import ended, free_port

on_jax = pytest.mark.skipif(keras.config.backend() != "jax", reason="is about JAX")

JOIN = """
import sys
import jax
address, count, index = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
try:
    jax.distributed.initialize(address, count, index, initialization_timeout=5)
    print("joined")
except BaseException as error:
    print("caught", error)
"""


def met(counts, seconds=5.0):
    """What processes that were given these counts learn."""
    address, found = f"127.0.0.1:{free_port()}", {}

    def run(index, count):
        try:
            wait_for_processes(address, count, index, seconds)
            found[index] = ""
        except ConnectionError as error:
            found[index] = str(error)

    threads = [
        threading.Thread(target=run, args=(index, count))
        for index, count in counts.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_all_processes_meet():
    assert met({2: 3, 0: 3, 1: 3}) == {0: "", 1: "", 2: ""}


def test_another_number_of_processes_is_reported_to_all():
    message = (
        "Process 1 was given 3 as the number of processes, and process 0 was given 2."
    )
    assert met({0: 2, 1: 3}) == {0: message, 1: message}


@pytest.mark.parametrize(("present", "missing"), [(0, "1"), (1, "0")])
def test_a_process_that_does_not_come_is_named(present, missing):
    (text,) = met({present: 2}, seconds=0.5).values()
    assert re.match(
        r"Not all of the 2 processes came together at 127.0.0.1:\d+ within 0.5 "
        rf"seconds; missing: {missing}. Look for one that did not start",
        text,
    )


def joining(*counts):
    """Status and output of processes that JAX alone connects."""
    address = f"127.0.0.1:{free_port()}"
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", JOIN, address, str(count), str(index)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index, count in enumerate(counts)
    ]
    return [(status, out.split()) for status, out, _ in ended(processes)]


@pytest.mark.slow
@on_jax
def test_jax_aborts_a_process_where_another_one_does_not_come():
    """If not, `wait_for_processes` may no longer be needed."""
    assert joining(2) == [(-signal.SIGABRT, [])]


@pytest.mark.slow
@on_jax
def test_jax_connects_processes_that_were_given_different_numbers():
    """If not, `wait_for_processes` may no longer be needed."""
    assert [out for _, out in joining(2, 3)] == [["joined"], ["joined"]]
