"""A process that dies or hangs: what is told, and what is kept."""

import os
import signal
import time
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_mixvit.training import resume
from tests.distribution.processes import ended, start

BACKEND = keras.config.backend()
on_torch = pytest.mark.skipif(BACKEND != "torch", reason="is about PyTorch")
SMALL = [
    "backbone.width=8",
    "backbone.num_heads=2",
    "backbone.num_blocks=1",
    "backbone.num_class_blocks=1",
]
KEPT = "What was saved is kept"


def words(folder, *further):
    settings = [word for setting in SMALL for word in ("--set", setting)]
    return ["--no-single", "--output", str(folder), *settings, *further]


def children(process):
    """The processes of a launcher, by their rank."""
    found = {}
    for path in Path("/proc").glob("[0-9]*"):
        try:
            parent = int((path / "stat").read_text().rsplit(")", 1)[1].split()[1])
            if parent != process.pid:
                continue
            variables = (path / "environ").read_bytes().split(b"\0")
        except (OSError, ValueError):
            continue
        rank = next((v for v in variables if v.startswith(b"RANK=")), None)
        if rank is not None:
            found[int(rank.removeprefix(b"RANK="))] = int(path.name)
    return found


def wait_for(condition, seconds=120):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.1)


@on_torch
@pytest.mark.skipif(not Path("/proc").is_dir(), reason="looks for processes there")
@pytest.mark.parametrize(
    ("number", "told"),
    [
        (signal.SIGKILL, "Process 1 of 2 was ended by SIGKILL"),
        pytest.param(
            signal.SIGSTOP,
            "Another process of the training has ended, or did not answer within 3 ",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_a_peer_that_dies_or_hangs_is_told_and_the_run_goes_on(number, told, tmp_path):
    run = tmp_path / "run"
    command = ["keras_mixvit.cli", "train", *words(run, "--epochs", "60")]
    (launcher,) = start([*command, "--devices", "2", "--timeout", "3"], PWD=tmp_path)
    wait_for(lambda: list(run.glob("checkpoints/epoch-*.npz")) or launcher.poll())
    os.kill(children(launcher)[1], number)
    ((status, _, errors),) = ended([launcher], 60)
    assert status == 1
    assert told in errors
    assert KEPT in errors
    assert "Traceback" not in errors
    assert children(launcher) == {}
    assert list(run.glob("checkpoints/epoch-*.npz"))
    assert not (run / "result.json").exists()


@pytest.mark.slow
@pytest.mark.skipif(BACKEND == "tensorflow", reason="has one process")
def test_a_peer_of_ones_own_processes_that_dies_is_told(tmp_path):
    run = tmp_path / "run"
    command = ["keras_mixvit.cli", "train", *words(run, "--epochs", "60")]
    first, second = start(
        [*command, "--timeout", "20"], 2, PWD=tmp_path, JAX_NUM_CPU_DEVICES="1"
    )
    wait_for(lambda: list(run.glob("checkpoints/epoch-*.npz")) or first.poll())
    second.kill()
    (status, _, errors), _ = ended([first, second], 120)
    assert status != 0
    ours = "Another process of the training has ended, or did not answer"
    # JAX notices a silence by itself, and ends the process.
    of_jax = "the JAX distributed service detected fatal errors"
    assert ours in errors or (BACKEND == "jax" and of_jax in errors)
    assert list(run.glob("checkpoints/epoch-*.npz"))


def history(run):
    text = (Path(run) / "history.csv").read_text().splitlines()
    return np.array([[float(v) for v in line.split(",")] for line in text[1:]])


@pytest.mark.slow
def test_a_run_goes_on_with_another_number_of_devices(tmp_path):
    """Two devices for three epochs, one for the rest, as one for all of them."""
    whole, begun = tmp_path / "whole", tmp_path / "begun"
    command = ["train", *words(whole, "--epochs", "6")]
    # In a process of its own: the tests draw first weights otherwise.
    ((status, _, errors),) = ended(start(["keras_mixvit.cli", *command]), 300)
    assert status == 0, errors
    command = ["tests.distribution.interrupted", "train", *words(begun)]
    count, devices = (2, []) if BACKEND == "torch" else (1, ["--devices", "2"])
    found = ended(start([*command, "--epochs", "6", *devices], count), 300)
    assert [status for status, _, _ in found] == [130] * count
    assert len(history(begun)) == 3
    assert not (begun / "result.json").exists()
    told = []
    resume(str(begun), verbose=0, tell=told.append)
    assert (
        "The run began on 2 device(s) and continues on 1: its batches stay the same."
        in told
    )
    np.testing.assert_allclose(history(begun), history(whole), rtol=2e-4)
