"""The command in a process of its own."""

import os
import subprocess
import sys

from tests.test_imports import PACKAGE

# Runs the command and tells on stderr which large packages it imported.
TELLING = """
import sys
sys.argv[0] = "keras-mixvit"
from keras_mixvit.cli import main
try:
    status = main()
except SystemExit as stop:
    status = stop.code
large = {"keras", "jax", "tensorflow", "torch", "numpy"}
print(sorted(large & set(sys.modules)), file=sys.stderr)
sys.exit(status)
"""


def environment(**changes):
    """The environment of a command; an empty value takes a variable out."""
    found = {**os.environ, "PYTHONPATH": str(PACKAGE.parent), **changes}
    return {name: value for name, value in found.items() if value}


def told(*words, **changes):
    """Status, stdout, the lines of stderr, and the large packages imported."""
    result = subprocess.run(
        [sys.executable, "-c", TELLING, *words],
        env=environment(**changes),
        capture_output=True,
        text=True,
        check=False,
    )
    *errors, imported = result.stderr.splitlines()
    return result.returncode, result.stdout, errors, imported
