"""A program that reads the output of the command and ends first."""

import subprocess
import sys

import pytest

from keras_mixvit.cli import _main
from keras_mixvit.cli._console import make_console
from tests.cli.processes import environment
from tests.tiny_run import train_words, write_images

pytestmark = pytest.mark.one_backend

# What the shell does where `head` has ended before the command prints.
COMMAND = """
import os, sys
reading, writing = os.pipe()
os.close(reading)
os.dup2(writing, {stream})
os.close(writing)
sys.argv[0] = "keras-mixvit"
from keras_mixvit.cli import main
sys.exit(main())
"""


def unread(*words, stream=1):
    """Status and what reaches the other stream."""
    result = subprocess.run(
        [sys.executable, "-c", COMMAND.format(stream=stream), *words],
        env=environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout + result.stderr


@pytest.mark.parametrize(
    "words",
    [
        # Much, little, one line.
        ["recipes"],
        ["show", "digits"],
        ["recipes", "--filter=nothing-has-this-name"],
    ],
)
def test_a_closed_pipe_ends_the_command_silently(words):
    assert unread(*words) == (141, "")


def test_an_error_is_told_although_nobody_reads_the_output():
    status, text = unread("show", "x")
    assert (status, text[:14]) == (1, "keras-mixvit: ")


def test_an_error_that_nobody_reads_ends_the_command_silently():
    assert unread("show", "x", stream=2) == (141, "")


def test_a_training_ends_silently_too(tmp_path):
    data = write_images(tmp_path / "three.npz")
    words = train_words(data, tmp_path / "out", "--no-single")
    assert unread(*words) == (141, "")


def test_what_a_disk_does_not_take_is_an_error():
    with open("/dev/full", "w") as full:
        result = subprocess.run(
            [sys.executable, "-m", "keras_mixvit.cli", "show", "digits"],
            env=environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    expected = (1, "keras-mixvit: [Errno 28] No space left on device\n")
    assert (result.returncode, result.stderr) == expected


def test_the_pipe_of_another_process_is_an_error(monkeypatch, capsys):
    def broken(**options):
        raise BrokenPipeError(32, "Broken pipe")

    commands = {"recipes": _main.Command(_main.add_recipes, broken, on_backend=False)}
    monkeypatch.setattr(_main, "COMMANDS", commands)
    assert _main.main(["recipes"]) == 1
    assert capsys.readouterr().err == "keras-mixvit: [Errno 32] Broken pipe\n"


def test_a_table_leaves_the_end_to_the_command():
    with pytest.raises(BrokenPipeError):
        make_console().on_broken_pipe()
