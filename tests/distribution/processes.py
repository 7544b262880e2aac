"""Scenarios in processes of their own, with a time limit."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def environment(backend, index, count, port):
    """The variables by which processes of a backend find each other."""
    if count == 1:
        return {}
    if backend == "torch":
        return {
            "RANK": str(index),
            "LOCAL_RANK": str(index),
            "WORLD_SIZE": str(count),
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": str(port),
        }
    return {
        "KERAS_DISTRIBUTION_JOB_ADDRESSES": f"127.0.0.1:{port}",
        "KERAS_DISTRIBUTION_NUM_PROCESSES": str(count),
        "KERAS_DISTRIBUTION_PROCESS_ID": str(index),
    }


def start(arguments, count=1, **variables):
    """Processes `python -m ...`, whose output can be read."""
    backend, port = os.environ["KERAS_BACKEND"], free_port()
    return [
        subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=variables.get("PWD", ROOT),
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                # Two cores are shared by all of them.
                "OMP_NUM_THREADS": "1",
                **environment(backend, index, count, port),
                **variables,
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for index in range(count)
    ]


def ended(processes, seconds=600):
    """Status, output and errors of each, which must not take longer."""
    found = []
    try:
        for process in processes:
            out, errors = process.communicate(timeout=seconds)
            found.append((process.returncode, out, errors))
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
                process.communicate()
    return found


def results(context, *names, count=1, **variables):
    """What each process says of some scenarios."""
    arguments = ["tests.distribution.scenarios", context, *names]
    found = []
    for status, out, errors in ended(start(arguments, count, **variables)):
        assert status == 0, f"{out}\n{errors}"
        line = next(x for x in out.splitlines() if x.startswith("RESULT "))
        found.append(json.loads(line.removeprefix("RESULT ")))
    return found
