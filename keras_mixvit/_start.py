"""Starts the command `keras-mixvit`, before Keras is imported.

On import, Keras chooses its backend and TensorFlow prints its messages. So this module
imports neither at the top.
"""

import importlib
import importlib.util
import itertools
import json
import os
import sys

from keras_mixvit._quiet_tensorflow import quieten_tensorflow

BACKENDS = ("tensorflow", "jax", "torch")
KERAS_DEFAULT = "tensorflow"
# All parts that are public or register classes of saved models.
PARTS = (
    *("augmentation", "backbones", "convert", "data", "distribution"),
    *("evaluation", "layers", "masks", "metrics", "models", "optimizers"),
    "schedules",
)
SCRIPTS = ("keras-mixvit", "keras-mixvit.exe", "keras-mixvit-script.py")


def is_command() -> bool:
    """Whether this process is the command, which imports Keras late.

    It is the script `keras-mixvit`, or `python -m keras_mixvit.cli`.
    """
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    # The original arguments of Python: during the import, `sys.argv` has only "-m".
    words = itertools.pairwise(sys.orig_argv)
    return script in SCRIPTS or ("-m", "keras_mixvit.cli") in words


def installed_backends() -> list[str]:
    """The backends whose packages are installed."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def start() -> str | None:
    """Chooses the backend and imports Keras and every part of the library.

    It chooses the backend in `KERAS_BACKEND`; else the one in Keras's configuration
    file, if it is installed; else an installed one. It keeps TensorFlow's start-up
    messages off stderr, unless the user set its variables.

    Returns:
        A sentence about the choice, or `None` if `KERAS_BACKEND` made it or there was
        no choice.

    Raises:
        ModuleNotFoundError: If no backend or not the named one is installed, or it
            cannot be imported.
        ValueError: If `KERAS_BACKEND` is not a backend of this library.
    """
    if "keras" in sys.modules:
        return None
    backend, sentence = chosen_backend()
    # Child processes use the same backend.
    os.environ["KERAS_BACKEND"] = backend
    quieten_tensorflow()
    try:
        for part in PARTS:
            importlib.import_module(f"keras_mixvit.{part}")
    except ImportError as error:
        raise ModuleNotFoundError(
            f"The backend {backend!r} cannot be imported: {error}"
        ) from error
    return sentence


def chosen_backend() -> tuple[str, str | None]:
    """The backend, and a sentence about the choice if there was one.

    On its first import, Keras writes a configuration file that names TensorFlow, for
    any backend.
    """
    named, installed = os.environ.get("KERAS_BACKEND"), installed_backends()
    listed = ", ".join(installed) or "none is"
    if not installed:
        raise ModuleNotFoundError(
            "No backend is installed: pip install 'keras_mixvit[jax]', or with "
            "tensorflow or torch instead of jax."
        )
    if named:
        if named not in BACKENDS:
            choices = ", ".join(map(repr, BACKENDS))
            raise ValueError(
                f"`KERAS_BACKEND` must be one of {choices}. Received: "
                f"KERAS_BACKEND={named!r}"
            )
        if named not in installed:
            raise ModuleNotFoundError(
                f"`KERAS_BACKEND` must be a backend that is installed ({listed}); or "
                f"pip install 'keras_mixvit[{named}]'. Received: "
                f"KERAS_BACKEND={named!r}"
            )
        return named, None
    configured, path = configured_backend()
    backend = configured if configured in installed else installed[0]
    # Does not report Keras's own default as missing: maybe nobody chose it.
    missed = configured not in (None, KERAS_DEFAULT, backend)
    why = "the one that is installed"
    if configured == backend:
        why = f"as {path} says"
    elif len(installed) > 1:
        why = f"the first of {listed} that are installed"
    if missed:
        why = f"{why}; {path} names {configured}, which is not"
    if len(installed) > 1:
        why = f"{why}; KERAS_BACKEND chooses another"
    # With one backend there was no choice.
    is_told = missed or len(installed) > 1
    return backend, f"The backend is {backend}, {why}." if is_told else None


def configured_backend() -> tuple[str | None, str]:
    """The backend of Keras's configuration file, or `None`, and the file's path."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        # As Keras does if the home folder is not writable.
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    path = os.path.expanduser(os.path.join(folder, "keras.json"))
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None, path
    backend = content.get("backend") if isinstance(content, dict) else None
    return (backend or None), path
