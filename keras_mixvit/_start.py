"""How the command `keras-mixvit` starts, before Keras is imported.

Keras chooses its backend when it is imported, and TensorFlow prints its messages
when it is. So nothing here imports either.
"""

import importlib
import importlib.util
import itertools
import json
import os
import sys

from keras_mixvit._quiet_tensorflow import quieten_tensorflow

BACKENDS = ("tensorflow", "jax", "torch")
# Every part that registers what a saved model may hold, or is public.
PARTS = (
    *("augmentation", "backbones", "convert", "data", "distribution"),
    *("evaluation", "layers", "masks", "metrics", "models", "schedules"),
)
SCRIPTS = ("keras-mixvit", "keras-mixvit.exe", "keras-mixvit-script.py")


def is_command() -> bool:
    """Whether this process is the command, which imports Keras late.

    It is the script `keras-mixvit`, or `python -m keras_mixvit.cli`.
    """
    script = os.path.basename(sys.argv[0]) if sys.argv else ""
    # The words as Python got them: `sys.argv` says only "-m" during the import.
    words = itertools.pairwise(sys.orig_argv)
    return script in SCRIPTS or ("-m", "keras_mixvit.cli") in words


def installed_backends() -> list[str]:
    """The backends whose packages are installed."""
    return [name for name in BACKENDS if importlib.util.find_spec(name) is not None]


def start() -> str | None:
    """Chooses the backend and imports Keras and every part of the library.

    It chooses the backend that `KERAS_BACKEND` names, or the one of Keras's
    configuration file if it is installed, or one that is. It keeps TensorFlow's
    start-up messages off stderr, unless the user set its variables.

    Returns:
        A sentence about the choice, or `None` where `KERAS_BACKEND` made it.

    Raises:
        ModuleNotFoundError: If no backend, or not the one that is named, is
            installed, or it cannot be imported.
        ValueError: If `KERAS_BACKEND` is no backend of this library.
    """
    if "keras" in sys.modules:
        return None
    backend, sentence = chosen_backend()
    # Processes that are started use the same one.
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
    """The backend, and a sentence about the choice if there was one."""
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
    if configured in installed:
        return configured, (
            f"The backend is {configured}, as {path} says; KERAS_BACKEND chooses "
            "another."
        )
    why = (
        "the one that is" if len(installed) == 1 else f"the first of {listed} that are"
    )
    others = f"; {path} names {configured}, which is not" if configured else ""
    return installed[0], f"The backend is {installed[0]}, {why} installed{others}."


def configured_backend() -> tuple[str | None, str]:
    """The backend of Keras's configuration file, or `None`, and the file's path."""
    folder = os.environ.get("KERAS_HOME")
    if folder is None:
        home = os.path.expanduser("~")
        # As Keras does, where the home folder cannot be written.
        folder = os.path.join(home if os.access(home, os.W_OK) else "/tmp", ".keras")
    path = os.path.expanduser(os.path.join(folder, "keras.json"))
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None, path
    backend = content.get("backend") if isinstance(content, dict) else None
    return (backend or None), path
