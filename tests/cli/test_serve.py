"""The command that serves a page."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
import sys
import urllib.request

import pytest

from keras_mixvit.cli._main import main
from tests.cli.processes import environment, told

pytestmark = pytest.mark.one_backend


@pytest.fixture
def run(command_run, tmp_path):
    """A copy of a finished run, to which the command may write."""
    shutil.copytree(command_run.folder, tmp_path / "run")
    return str(tmp_path / "run")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (["serve", "x"], "`run` must hold a model.keras. Received: run='x'"),
        (["serve", "x", "--port=-1"], "`port` must be an integer from 0 to 65535; "),
        (["serve", "x", "--top=0"], "`top` must be an integer of at least 1. Receive"),
        (["serve", "x", "--max-upload=0"], "`max_upload` must be a positive number o"),
    ],
)
def test_what_cannot_be_is_told_without_a_backend(words, error):
    status, out, errors, imported = told(*words, KERAS_BACKEND="")
    assert (status, out, imported) == (1, "", "[]")
    (line,) = errors
    assert line.startswith(f"keras-mixvit: {error}")


def test_one_run_twice_is_refused(run, capsys):
    assert main(["serve", run, run]) == 1
    text = "keras-mixvit: `runs` must not hold one run twice. Received: runs="
    assert capsys.readouterr().err.startswith(text)


def test_without_gradio_the_extra_is_named_before_the_network_is_loaded(
    tmp_path, monkeypatch, capsys
):
    # No network at all.
    (tmp_path / "model.keras").write_bytes(b"no model")
    find_spec = importlib.util.find_spec

    def find(name, *args):
        return None if name == "gradio" else find_spec(name, *args)

    monkeypatch.setattr(importlib.util, "find_spec", find)
    assert main(["serve", str(tmp_path)]) == 1
    assert capsys.readouterr().err == (
        'keras-mixvit: A page needs Gradio: pip install "keras_mixvit[demo]".\n'
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_page_is_served_until_an_interruption(number, run, command_run, tmp_path):
    pytest.importorskip("gradio")
    # A run of bytes.
    facts = os.path.join(run, "run.json")
    with open(facts, encoding="utf-8") as file:
        text = file.read()
    with open(facts, "w", encoding="utf-8") as file:
        file.write(text.replace('"dtype": "float32"', '"dtype": "uint8"'))
    words = [sys.executable, "-m", "keras_mixvit.cli", "serve", run, "--port=0"]
    with subprocess.Popen(
        words,
        env=environment(TMPDIR=str(tmp_path)),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # Whoever started the tests may ignore Ctrl-C.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as process:
        line = process.stdout.readline()
        found = re.fullmatch(
            r"Page: (http://127\.0\.0\.1:\d+)  \(Ctrl\+C ends .*\n", line
        )
        assert found, process.stderr.read()
        with urllib.request.urlopen(found[1], timeout=60) as answer:
            assert answer.status == 200
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, "")
    assert "Traceback" not in err
    assert list(tmp_path.glob("keras_mixvit-page-*")) == []
