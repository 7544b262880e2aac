"""The launcher of several processes, and where they meet."""

import json
import re
import sys
import threading

import pytest

from keras_mixvit.distribution import launch
from keras_mixvit.distribution.rendezvous import meet
from tests.distribution.processes import free_port

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
        "run goes on with `keras-mixvit resume RUN`.",
    ]


def test_no_processes_are_refused():
    message = "`count` must be an integer of at least 1. Received: count=0"
    with pytest.raises(ValueError, match=re.escape(message)):
        launch([sys.executable], 0)


def met(counts, seconds=5.0):
    """What processes that were told these counts get to hear."""
    address, found = f"127.0.0.1:{free_port()}", {}

    def run(index, count):
        try:
            meet(address, count, index, seconds)
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


def test_another_number_of_processes_is_told_to_all():
    message = "Process 1 was told that there are 3 processes, and process 0 that there "
    found = met({0: 2, 1: 3})
    assert set(found) == {0, 1}
    assert all(text == f"{message}are 2." for text in found.values())


@pytest.mark.parametrize(("present", "missing"), [(0, "1"), (1, "0")])
def test_a_process_that_does_not_come_is_named(present, missing):
    (text,) = met({present: 2}, seconds=0.5).values()
    assert re.match(
        r"Not all of the 2 processes came together at 127.0.0.1:\d+ within 0.5 "
        rf"seconds; missing: {missing}. Look for one that did not start",
        text,
    )
