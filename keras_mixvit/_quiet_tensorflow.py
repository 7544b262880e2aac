"""Keeps TensorFlow's start-up messages off the command's stderr.

Compiled code prints them to the file descriptor when TensorFlow is imported, some
before it has read its log level. Keras imports TensorFlow if it is installed, on any
backend.
"""

import contextlib
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator

# TensorFlow reads it on import. At 3 it prints only what ends the process. Errors raise
# exceptions anyway, except the one that every machine without a GPU prints.
LOG_LEVEL = "TF_CPP_MIN_LOG_LEVEL"
# Messages that are not errors, about oneDNN, CUDA and the processor.
MESSAGE = re.compile(
    rb"[IW]\d{4} [\d:.]+ +\d+ \S+\] "
    rb"|\d{4}-\d\d-\d\d [\d:.]+: [IW] "
    rb"|WARNING: All log messages before absl::InitializeLog\(\) is called"
    rb"|To enable the following instructions: "
)


def quieten_tensorflow() -> None:
    """Keeps TensorFlow's messages off stderr, whenever it is imported.

    A log level of the user stays, and messages are dropped only at level 3.
    """
    if os.environ.setdefault(LOG_LEVEL, "3") == "3" and Quiet not in sys.meta_path:
        sys.meta_path.insert(0, Quiet)


class Quiet:
    """Finds TensorFlow with the other finders, and imports it quietly."""

    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name != "tensorflow":
            return None
        others = [finder for finder in sys.meta_path if finder is not cls]
        found = (finder.find_spec(name, path, target) for finder in others)
        spec = next((spec for spec in found if spec is not None), None)
        if spec is not None and spec.loader is not None:
            execute = spec.loader.exec_module

            def exec_module(module):
                with quiet_stderr():
                    execute(module)

            # `setattr`, because a type checker does not allow assigning to methods.
            setattr(spec.loader, "exec_module", exec_module)  # noqa: B010
        return spec


@contextlib.contextmanager
def quiet_stderr() -> Iterator[None]:
    """Drops messages that are not errors from the stderr of this process.

    Another process filters them, so the last lines before a crash are printed, too.
    """
    try:
        stderr = os.dup(2)
    except OSError:
        # stderr is closed: nobody reads the messages.
        yield
        return
    sys.stderr.flush()
    command = [sys.executable, "-I", "-S", __file__]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as reader:
        if reader.stdin is not None:  # It is a pipe.
            os.dup2(reader.stdin.fileno(), 2)
        try:
            yield
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)


def copy_lines() -> None:
    """Copies the lines of stdin that are not such messages to stderr."""
    # The command handles Ctrl-C.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        if not MESSAGE.match(line):
            os.write(2, line)


if __name__ == "__main__":
    copy_lines()
