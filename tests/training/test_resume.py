import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import keras_mixvit
from keras_mixvit import load_model
from keras_mixvit.analysis._training_curves import read_history
from keras_mixvit.training import resume

# Trains once to the end and once to the middle of the second epoch, where the
# process kills itself.
KILLED = """
import os, signal
from keras_mixvit.recipes import Recipe
from keras_mixvit.training import train
from keras_mixvit.training._recorder import Recorder

recipe = Recipe(
    name="killed", batch_size=8, epochs=3, seed=7, data={"share": 0.05},
    backbone={
        "width": 8, "num_heads": 2, "num_blocks": 1, "num_class_blocks": 1,
        "patch_size": 4, "stochastic_depth_rate": 0.4, "dropout_rate": 0.2,
    },
)
train(recipe, "whole", single=False, verbose=0)

def kill(self, batch, logs=None):
    if len(self.history) == 1 and batch == 2:
        os.kill(os.getpid(), signal.SIGKILL)

Recorder.on_train_batch_end = kill
train(recipe, "killed", single=False, verbose=0)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """A folder with one run that was finished and one that was killed."""
    folder = tmp_path_factory.mktemp("runs")
    root = str(Path(keras_mixvit.__file__).parents[1])
    path = os.pathsep.join([root, os.environ.get("PYTHONPATH", "")])
    result = subprocess.run(
        [sys.executable, "-c", KILLED],
        cwd=folder,
        # One thread, as in the tests: sums are rounded in their order.
        env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == -signal.SIGKILL, result.stderr
    return folder


def test_a_killed_run_ends_as_one_that_was_not(killed):
    whole = read_history(killed / "whole" / "history.csv")
    before = read_history(killed / "killed" / "history.csv")
    # One seed, one history.
    assert before == {name: values[:1] for name, values in whole.items()}
    told = []
    _, rows = resume(str(killed / "killed"), verbose=0, tell=told.append)
    assert told[1:] == ["mixvit resumes after epoch 1."]
    after = read_history(killed / "killed" / "history.csv")
    assert after["epoch"] == [0, 1, 2]
    for name, values in whole.items():
        np.testing.assert_allclose(after[name], values, rtol=1e-6, err_msg=name)
    results = [
        json.loads((killed / run / "result.json").read_text())
        for run in ("whole", "killed")
    ]
    for row, again, given in zip(*(r["rows"] for r in results), rows, strict=True):
        assert again == given
        assert again["accuracy"] == row["accuracy"]
        assert again["nll"] == pytest.approx(row["nll"], rel=1e-6)
    assert results[0]["trainings"]["."]["best"] == pytest.approx(
        results[1]["trainings"]["."]["best"]
    )
    steps = [
        int(load_model(killed / run / "model.keras").optimizer.iterations)
        for run in ("whole", "killed")
    ]
    assert steps[0] == steps[1] == 3 * 6
