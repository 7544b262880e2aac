import json
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_mixvit._passed_signals import stop
from keras_mixvit.training._study_slots import Slot, make_slots

TELL = """
import json, os
cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
print(json.dumps([dict(os.environ), cores]))
"""
CORES = [0, 1, 2, 3]


@pytest.fixture
def cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(CORES), raising=False)
    monkeypatch.setattr(os, "sched_setaffinity", lambda *args: None, raising=False)


def test_one_training_has_the_whole_processor():
    assert make_slots(None, 0, {}) == [Slot({})]


def test_several_share_the_cores_and_no_core_is_left_out(cores):
    slots = make_slots(3, 0, {})
    assert [slot.cores for slot in slots] == [(0, 3), (1,), (2,)]
    threads = [slot.environment["OMP_NUM_THREADS"] for slot in slots]
    assert threads == ["2", "1", "1"]
    assert {slot.environment["TF_NUM_INTRAOP_THREADS"] for slot in slots} == {"1", "2"}


def test_more_than_there_are_cores_share_them(cores):
    slots = make_slots(6, 0, {})
    assert [slot.cores for slot in slots[3:]] == [(3,), (0,), (1,)]


def test_threads_that_the_user_set_stay(cores):
    slots = make_slots(2, 0, {"OMP_NUM_THREADS": "7"})
    assert all("OMP_NUM_THREADS" not in slot.environment for slot in slots)
    assert slots[0].environment["MKL_NUM_THREADS"] == "2"


def test_each_training_sees_one_accelerator():
    slots = make_slots(None, 3, {})
    for name in ("CUDA_VISIBLE_DEVICES", "HIP_VISIBLE_DEVICES", "TPU_VISIBLE_CHIPS"):
        assert [slot.environment[name] for slot in slots] == ["0", "1", "2"]
    assert all(slot.cores is None for slot in slots)
    assert "XLA_PYTHON_CLIENT_PREALLOCATE" not in slots[0].environment


def test_they_are_those_that_the_study_sees():
    slots = make_slots(None, 2, {"CUDA_VISIBLE_DEVICES": "5,GPU-ab"})
    seen = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots]
    assert seen == ["5", "GPU-ab"]


def test_trainings_that_share_an_accelerator_do_not_take_all_its_memory():
    slots = make_slots(4, 2, {"TF_FORCE_GPU_ALLOW_GROWTH": "no"})
    seen = [slot.environment["CUDA_VISIBLE_DEVICES"] for slot in slots]
    assert seen == ["0", "1", "0", "1"]
    for slot in slots:
        assert slot.environment["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
        assert "TF_FORCE_GPU_ALLOW_GROWTH" not in slot.environment
    # The only one needs no choice.
    assert [set(slot.environment) for slot in make_slots(1, 1, {})] == [set()]


def test_a_process_gets_its_variables_its_cores_and_its_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("before\n")
    core = None
    if hasattr(os, "sched_getaffinity"):
        core = (max(os.sched_getaffinity(0)),)
    # It waits until its cores are set.
    code = f"import time; time.sleep(0.3){TELL}"
    process = Slot({"MINE": "1"}, core).start([sys.executable, "-S", "-c", code], log)
    assert process.wait() == 0
    before, line = log.read_text().splitlines()
    environment, cores = json.loads(line)
    assert (before, environment["MINE"]) == ("before", "1")
    assert environment["PATH"] == os.environ["PATH"]
    assert cores == (None if core is None else list(core))


def test_a_process_that_does_not_end_is_killed(tmp_path):
    stubborn = "import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN)"
    codes = [
        f"{first}; print(1, flush=True); import time; time.sleep(60)"
        for first in ("pass", stubborn)
    ]
    processes = [
        subprocess.Popen([sys.executable, "-S", "-c", code], stdout=subprocess.PIPE)
        for code in codes
    ]
    for process in processes:
        process.stdout.readline()
    began = time.monotonic()
    stop(processes, grace=0.5)
    assert time.monotonic() - began < 20
    endings = [process.returncode for process in processes]
    assert endings == [-signal.SIGTERM, -signal.SIGKILL]
    for process in processes:
        process.stdout.close()
