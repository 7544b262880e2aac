"""How the command starts: its help, its backend, what it leaves out of stderr."""

import json
import os
import subprocess
import sys

import keras
import pytest

from keras_mixvit import __version__, _start
from keras_mixvit._quiet_tensorflow import MESSAGE, quiet_stderr
from tests.test_imports import PACKAGE, hiding
from tests.tiny_run import train_words, write_images

# What the script `keras-mixvit` does.
SCRIPT = """
import sys
sys.argv[0] = "/usr/bin/keras-mixvit"
from keras_mixvit.cli import main
status = None
try:
    status = main()
except SystemExit as stop:
    status = stop.code
print(f"status {status}, keras {'keras' in sys.modules}")
"""


def command(*words, hidden=(), code=SCRIPT, **environment):
    """Runs the command in a process of its own; its lines on stdout and stderr."""
    given = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **environment}
    for name in ("TF_CPP_MIN_LOG_LEVEL", *(k for k, v in environment.items() if not v)):
        given.pop(name, None)
    result = subprocess.run(
        [sys.executable, "-c", (hiding(*hidden) if hidden else "") + code, *words],
        env=given,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout.splitlines(), result.stderr.splitlines()


@pytest.mark.parametrize(
    ("words", "first"),
    [
        (["--version"], f"keras-mixvit {__version__}"),
        (["--help"], "usage: keras-mixvit COMMAND [options]"),
        (["train", "--help"], "usage: keras-mixvit train [NAME] [options]"),
        (
            ["export", "--help"],
            "usage: keras-mixvit export RUN --format FORMAT [options]",
        ),
    ],
)
def test_help_and_version_need_no_backend_and_import_no_keras(words, first):
    out, err = command(*words, hidden=("tensorflow", "jax", "torch"), KERAS_BACKEND="")
    assert out[0].startswith(first)
    assert (out[-1], err) == ("status 0, keras False", [])


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Sets what is installed, what the configuration file says, and the variable."""

    def make(installed, configured=None, named=None):
        monkeypatch.setattr(_start, "installed_backends", lambda: installed)
        monkeypatch.setenv("KERAS_HOME", str(tmp_path))
        monkeypatch.delenv("KERAS_BACKEND", raising=False)
        if named is not None:
            monkeypatch.setenv("KERAS_BACKEND", named)
        if configured is not None:
            (tmp_path / "keras.json").write_text(configured)
        return str(tmp_path / "keras.json")

    return make


@pytest.mark.parametrize(
    ("installed", "configured", "named", "backend", "sentence"),
    [
        (["jax", "torch"], '{"backend": "jax"}', "torch", "torch", None),
        (
            *(["tensorflow", "jax"], '{"backend": "jax"}', None, "jax"),
            "The backend is jax, as FILE says; KERAS_BACKEND chooses another.",
        ),
        # One backend leaves no choice, whatever Keras itself wrote to its file.
        (["torch"], '{"backend": "tensorflow"}', None, "torch", None),
        (["torch"], '{"backend": "torch"}', None, "torch", None),
        (["jax"], None, None, "jax", None),
        (["jax"], "[1]", None, "jax", None),
        # But somebody wrote this.
        (
            *(["torch"], '{"backend": "jax"}', None, "torch"),
            "The backend is torch, the one that is installed; FILE names jax, which "
            "is not.",
        ),
        (
            *(["tensorflow", "torch"], "{broken", "", "tensorflow"),
            "The backend is tensorflow, the first of tensorflow, torch that are "
            "installed; KERAS_BACKEND chooses another.",
        ),
        (
            *(["jax", "torch"], '{"backend": "tensorflow"}', None, "jax"),
            "The backend is jax, the first of jax, torch that are installed; "
            "KERAS_BACKEND chooses another.",
        ),
    ],
)
def test_the_backend_is_named_configured_or_installed(
    installed, configured, named, backend, sentence, machine
):
    path = machine(installed, configured, named)
    expected = sentence and sentence.replace("FILE", path)
    assert _start.chosen_backend() == (backend, expected)


@pytest.mark.parametrize(
    ("installed", "named", "kind", "text"),
    [
        ([], None, ModuleNotFoundError, "No backend is installed: pip install 'ke"),
        (
            *(["jax"], "torch", ModuleNotFoundError),
            r"`KERAS_BACKEND` must be a backend that is installed \(jax\); or pip "
            r"install 'keras_mixvit\[torch\]'\. Received: KERAS_BACKEND='torch'",
        ),
        (
            *(["jax"], "numpy", ValueError),
            r"`KERAS_BACKEND` must be one of 'tensorflow', 'jax', 'torch'\. Received: "
            "KERAS_BACKEND='numpy'",
        ),
    ],
)
def test_a_backend_that_cannot_be_is_refused(installed, named, kind, text, machine):
    machine(installed, named=named)
    with pytest.raises(kind, match=text):
        _start.chosen_backend()


@pytest.mark.parametrize("named", ["", "numpy", "torch"])
def test_without_a_backend_the_command_ends_in_one_line(named):
    hidden = ("tensorflow", "jax", "torch")
    out, err = command("train", hidden=hidden, KERAS_BACKEND=named)
    assert out == ["status 1, keras False"]
    assert len(err) == 1
    assert err[0].startswith("keras-mixvit: ")


@pytest.mark.skipif(keras.config.backend() == "tensorflow", reason="Keras's default")
def test_the_command_takes_the_backend_that_is_installed(tmp_path):
    backend = keras.config.backend()
    hidden = {"tensorflow", "jax", "torch"} - {backend}
    # Keras writes its default, which is not installed, to the file.
    (tmp_path / "keras.json").write_text(json.dumps({"backend": "tensorflow"}))
    places = {"KERAS_BACKEND": "", "KERAS_HOME": str(tmp_path)}
    (tmp_path / "mine.toml").write_text("epochs = 0")
    words = ("train", str(tmp_path / "mine.toml"))
    out, err = command(*words, hidden=tuple(hidden), **places)
    assert out[-1] == "status 1, keras True"
    # With one backend there was no choice: the command prints the error only.
    (error,) = err
    assert error.startswith("keras-mixvit: `epochs` must be an integer of at least 1.")


def test_a_training_prints_nothing_to_stderr(tmp_path):
    """Of TensorFlow's start-up messages and of anything else."""
    data = write_images(tmp_path / "three.npz")
    words = train_words(data, tmp_path / "out", "--no-single")
    environment = {"JAX_PLATFORMS": "cpu", "CUDA_VISIBLE_DEVICES": "-1"}
    out, err = command(*words, **environment)
    assert out[-1] == "status 0, keras True"
    assert err == []
    assert (tmp_path / "out" / "result.json").exists()


def test_the_module_is_the_command_too():
    result = subprocess.run(
        [sys.executable, "-m", "keras_mixvit.cli", "--version"],
        env={**os.environ, "PYTHONPATH": str(PACKAGE.parent), "KERAS_BACKEND": "none"},
        capture_output=True,
        text=True,
        check=False,
    )
    found = (result.returncode, result.stdout, result.stderr)
    assert found == (0, f"keras-mixvit {__version__}\n", "")


def test_this_process_is_not_the_command():
    assert not _start.is_command()


def test_the_command_imports_every_part_that_a_model_may_hold():
    folders = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(_start.PARTS) == folders - {
        "analysis",
        "cli",
        "costs",
        "prediction",
        "recipes",
        "report",
        "training",
    }


@pytest.mark.parametrize(
    ("line", "is_message"),
    [
        ("I0000 00:00:1795735978.458642    7973 port.cc:153] oneDNN custom", True),
        ("W0000 00:00:1795735978.458642    7973 a.cc:1] slow", True),
        ("2026-01-02 03:04:05.678901: I tensorflow/core/util/port.cc:153] x", True),
        ("WARNING: All log messages before absl::InitializeLog() is called are", True),
        ("To enable the following instructions: AVX2 FMA, in other", True),
        ("E0000 00:00:1795735978.458642    7973 cuda.cc:52] failed call", False),
        ("F0000 00:00:1795735978.458642    7973 cpu.cc:52] no AVX", False),
        ("Traceback (most recent call last):", False),
        ("keras-mixvit: interrupted", False),
    ],
)
def test_messages_of_tensorflow_are_known_from_errors(line, is_message):
    assert bool(MESSAGE.match(line.encode())) is is_message


def test_what_is_no_message_still_reaches_stderr(capfd):
    with quiet_stderr():
        os.write(2, b"I0000 00:00:17.4    7973 port.cc:153] oneDNN\nan error\n")
        print("a sentence", file=sys.__stderr__)
    os.write(2, b"I0000 00:00:17.4    7973 port.cc:153] later\n")
    err = capfd.readouterr().err
    assert err.splitlines() == [
        *("an error", "a sentence"),
        "I0000 00:00:17.4    7973 port.cc:153] later",
    ]


def test_the_last_words_of_a_process_that_crashes_reach_stderr():
    code = (
        "import os\n"
        "from keras_mixvit._quiet_tensorflow import quiet_stderr\n"
        "with quiet_stderr():\n"
        "    os.write(2, b'F0000 no AVX\\n')\n"
        "    os.abort()\n"
    )
    out, err = command(code=f"import sys; sys.argv[0] = 'keras-mixvit'\n{code}")
    assert out == []
    assert "F0000 no AVX" in err
