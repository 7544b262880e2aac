"""What `torch.distributed.run` does not do, and `launch` does.

If one of these fails with a new PyTorch, `launch` may no longer be needed.
"""

import subprocess
import sys

import keras
import pytest

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(keras.config.backend() != "torch", reason="is about PyTorch"),
]

# Process 1 fails because of process 0, which says why a little later.
EXPLAIN = """
import os, sys, time
if os.environ["RANK"] == "1":
    sys.exit(1)
time.sleep(2)
print("the reason", flush=True)
sys.exit(3)
"""
LAUNCH = """
import sys
from keras_mixvit.distribution import launch
sys.exit(launch(sys.argv[1:], 2))
"""
CANNOT_START = """
import errno, subprocess, sys

class Once(subprocess.Popen):
    first = None

    def __init__(self, *arguments, **options):
        if Once.first is not None:
            raise OSError(errno.EAGAIN, "no more processes")
        super().__init__(*arguments, **options)
        Once.first = self

subprocess.Popen = Once
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

config = LaunchConfig(
    1, 1, 2, rdzv_backend="c10d", rdzv_endpoint="127.0.0.1:0", max_restarts=0
)
try:
    elastic_launch(config, sys.executable)("-c", "import time; time.sleep(60)")
except OSError:
    print("runs on" if Once.first.poll() is None else "was ended")
Once.first.kill()
Once.first.wait()
"""


def output(*command):
    done = subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, check=False
    )
    return done.stdout


def test_torchrun_stops_a_process_before_it_says_why(tmp_path):
    program = tmp_path / "program.py"
    program.write_text(EXPLAIN)
    words = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    assert "the reason" not in output(*words, str(program))
    assert "the reason" in output("-c", LAUNCH, sys.executable, str(program))


def test_torchrun_lets_a_process_run_on_where_another_cannot_start():
    assert "runs on" in output("-c", CANNOT_START)
