import contextlib
import csv
import os
import signal
import subprocess
import sys
import time

import pytest

from keras_mixvit.cli._main import main
from keras_mixvit.training._study_lock import fcntl, locked
from tests.cli.processes import environment, told
from tests.training.tiny_study import TEXT, write_study

pytestmark = pytest.mark.one_backend


def test_a_report_of_nothing_imports_no_backend(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path)
    status, out, errors, imported = told("study", "mine.toml", "--report")
    # Other processes do, and hold no memory of an accelerator afterwards.
    assert (status, errors) == (0, [])
    assert "'keras'" not in imported
    assert "4 trainings are missing, 0 of them failed." in out
    assert (tmp_path / "results" / "tiny.json").is_file()


def test_an_error_of_another_process_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    write_study(tmp_path, TEXT.replace("num_heads = 2", "num_heads = 3"))
    status, _, errors, _ = told("study", "mine.toml")
    (line,) = errors
    assert status == 1
    assert line.startswith("keras-mixvit: `backbone.num_heads` must divide the width.")
    assert "(in the row 'single')" in line


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["--jobs=0"], "`jobs` must be an integer of at least 1. Received: jobs=0"),
        (["--seeds=2"], "`seeds` must be in the file, one or several of [0, 1]. R"),
        (["--seeds=a"], "`seeds` must be integers with commas between them. Received"),
        (["--rows=x"], "`rows` must be in the file, one or several of ['single"),
    ],
)
def test_what_does_not_fit_is_told_at_once(tmp_path, words, error, capsys):
    assert main(["study", write_study(tmp_path), *words]) == 1
    assert capsys.readouterr().err.startswith(f"keras-mixvit: {error}")


def epochs_of(path):
    """The epochs in a history, which may be replaced meanwhile."""
    with contextlib.suppress(OSError), path.open() as file:
        return len(list(csv.DictReader(file)))
    return 0


@contextlib.contextmanager
def started(folder, *words):
    """The command, in a process group of its own."""
    process = subprocess.Popen(
        [sys.executable, "-m", "keras_mixvit.cli", "study", "mine.toml", *words],
        cwd=folder,
        env=environment(OMP_NUM_THREADS="1"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        # A shell in the background would have it ignored.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    try:
        yield process
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


@pytest.mark.slow
@pytest.mark.skipif(fcntl is None, reason="no POSIX signals")
def test_an_interrupted_study_goes_on_where_it_was(tmp_path):
    write_study(tmp_path, TEXT.replace("epochs = 1", "epochs = 2000"))
    history = tmp_path / "runs" / "tiny" / "single" / "seed0" / "history.csv"
    before = 0
    for number, how in (
        (signal.SIGINT, "single, seed 0 begins."),
        (signal.SIGTERM, "single, seed 0 resumes."),
    ):
        with started(tmp_path, "--rows=single", "--seeds=0") as process:
            while epochs_of(history) < before + 2:
                assert process.poll() is None, process.communicate()
                time.sleep(0.1)
            process.send_signal(number)
            began = time.monotonic()
            out, errors = process.communicate(timeout=60)
        # The training ends with it, and frees the folder.
        assert time.monotonic() - began < 20
        with locked(tmp_path / "runs" / "tiny"):
            pass
        assert how in out
        if number == signal.SIGINT:
            assert process.returncode == 130
            assert errors == (
                "keras-mixvit: interrupted. The same command continues the study.\n"
            )
        else:
            assert process.returncode == -signal.SIGTERM
        after = epochs_of(history)
        assert after >= before + 2
        before = after
    log = (tmp_path / "runs" / "tiny" / "single" / "seed0.log").read_text()
    assert "resumes after epoch" in log
