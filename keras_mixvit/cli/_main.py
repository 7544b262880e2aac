"""The command `keras-mixvit`."""

import argparse
import sys
from collections.abc import Callable

from keras_mixvit import __version__
from keras_mixvit._start import start
from keras_mixvit.cli._compare import add_compare, run_compare
from keras_mixvit.cli._data import add_data, run_data
from keras_mixvit.cli._evaluate import add_evaluate, run_evaluate
from keras_mixvit.cli._export import add_export, run_export
from keras_mixvit.cli._list import add_recipes, add_show, run_recipes, run_show
from keras_mixvit.cli._train import (
    add_resume,
    add_train,
    processes_to_start,
    run_resume,
    run_train,
)
from keras_mixvit.training._devices import is_quiet

COMMANDS: dict[str, tuple[Callable[..., None], Callable[..., int]]] = {
    "train": (add_train, run_train),
    "resume": (add_resume, run_resume),
    "data": (add_data, run_data),
    "recipes": (add_recipes, run_recipes),
    "show": (add_show, run_show),
    "evaluate": (add_evaluate, run_evaluate),
    "compare": (add_compare, run_compare),
    "export": (add_export, run_export),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status.

    Args:
        arguments: The words after the name of the command, or `None` for
            those of the process. Defaults to `None`.

    Returns:
        0, 1 after an error, which it prints in one sentence, or 130 after an
        interruption.
    """
    options = vars(make_parser().parse_args(arguments))
    run = COMMANDS[options.pop("command")][1]
    try:
        sentence = start()
        if sentence is not None and not is_quiet():
            _complain(sentence)
        count = processes_to_start(options.get("devices"))
        if count:
            from keras_mixvit.distribution._launch import launch, this_program

            words = sys.argv[1:] if arguments is None else arguments
            return launch(this_program(words), count, tell=_complain)
        return run(**options)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt:
        print(
            "keras-mixvit: interrupted. `keras-mixvit resume RUN` resumes a training "
            "from its last epoch.",
            file=sys.stderr,
        )
        return 130


def _complain(sentence):
    print(f"keras-mixvit: {sentence}", file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="keras-mixvit",
        description="Multi-input multi-output training of image classifiers.",
    )
    parser.add_argument(
        "--version", action="version", version=f"keras-mixvit {__version__}"
    )
    commands = parser.add_subparsers(dest="command", required=True)
    for add, _ in COMMANDS.values():
        add(commands)
    return parser
