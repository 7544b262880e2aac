"""The command `keras-mixvit`."""

import argparse
import sys
from collections.abc import Callable
from dataclasses import dataclass

from keras_mixvit._exit_status import CLOSED_PIPE, INTERRUPTED
from keras_mixvit._start import start
from keras_mixvit._version import __version__
from keras_mixvit.cli._closed_pipe import discard_rest, has_closed_pipe
from keras_mixvit.cli._compare import add_compare, check_compare, run_compare
from keras_mixvit.cli._data import add_data, run_data
from keras_mixvit.cli._evaluate import add_evaluate, check_evaluate, run_evaluate
from keras_mixvit.cli._export import add_export, check_export, run_export
from keras_mixvit.cli._help import Help
from keras_mixvit.cli._list import add_recipes, add_show, run_recipes, run_show
from keras_mixvit.cli._predict import add_predict, check_predict, run_predict
from keras_mixvit.cli._report import add_report, check_report, run_report
from keras_mixvit.cli._serve import add_serve, check_serve, run_serve
from keras_mixvit.cli._study import add_study, check_study, run_study
from keras_mixvit.cli._train import (
    check_resume,
    check_train,
    processes_to_start,
    run_resume,
    run_train,
)
from keras_mixvit.cli._train_options import add_resume, add_train
from keras_mixvit.training._devices import is_quiet


@dataclass(frozen=True)
class Command:
    """A subcommand.

    Args:
        add: Function that adds its parser.
        run: Function that takes its options and returns the exit status.
        check: Function that takes its options and raises the errors that need no
            backend, before one is imported; `None` for none. Defaults to `None`.
        on_backend: Whether the backend is chosen, printed and imported before
            `run`. Otherwise `run` imports what it needs. Defaults to `True`.
    """

    add: Callable[..., None]
    run: Callable[..., int]
    check: Callable[..., None] | None = None
    on_backend: bool = True


COMMANDS = {
    "train": Command(add_train, run_train, check_train),
    "resume": Command(add_resume, run_resume, check_resume),
    "data": Command(add_data, run_data, on_backend=False),
    "recipes": Command(add_recipes, run_recipes, on_backend=False),
    "show": Command(add_show, run_show, on_backend=False),
    "evaluate": Command(add_evaluate, run_evaluate, check_evaluate),
    "compare": Command(add_compare, run_compare, check_compare, on_backend=False),
    "study": Command(add_study, run_study, check_study, on_backend=False),
    "report": Command(add_report, run_report, check_report),
    "predict": Command(add_predict, run_predict, check_predict),
    "serve": Command(add_serve, run_serve, check_serve),
    "export": Command(add_export, run_export, check_export),
}


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status.

    Args:
        arguments: The words after the name of the command, or `None` for
            those of the process. Defaults to `None`.

    Returns:
        0; 1 after an error, which it prints in one sentence; 3 if `predict`
        could not read some images; 130 after an interruption; or 141, without a
        message, if the program that reads its output ended first.
    """
    try:
        try:
            return _main(arguments)
        finally:
            # When Python ends, it would be too late for a status.
            if sys.stdout is not None:
                sys.stdout.flush()
    except OSError as error:
        # Another process may have closed a pipe or a connection, too.
        is_unread = isinstance(error, BrokenPipeError) and has_closed_pipe()
        discard_rest()
        if is_unread:
            return CLOSED_PIPE
        _complain(error)
        return 1


def _main(arguments):
    options = vars(make_parser().parse_args(arguments))
    command = COMMANDS[options.pop("command")]
    try:
        if command.check is not None:
            command.check(**options)
        if command.on_backend:
            sentence = start()
            if sentence is not None and not is_quiet():
                _complain(sentence)
            count = processes_to_start(options.get("devices"))
            if count:
                from keras_mixvit.distribution._launch import launch, this_program

                words = sys.argv[1:] if arguments is None else arguments
                return launch(this_program(words), count, tell=_complain)
        return command.run(**options)
    except (ValueError, ModuleNotFoundError) as error:
        _complain(error)
        return 1
    except KeyboardInterrupt as interrupt:
        # A training says how to resume it.
        _complain(" ".join(["interrupted.", *map(str, interrupt.args)]))
        return INTERRUPTED


def _complain(sentence):
    print(f"keras-mixvit: {sentence}", file=sys.stderr)


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="keras-mixvit",
        usage="keras-mixvit COMMAND [options]",
        description="Trains image classifiers that hold several subnetworks (MixViT, "
        "MixMo), judges, compares and exports them, and predicts with them.",
        epilog="Example:\n\n  keras-mixvit train\n\n"
        "`keras-mixvit COMMAND --help` explains a command.",
        formatter_class=Help,
    )
    parser.add_argument(
        "--version", action="version", version=f"keras-mixvit {__version__}"
    )
    commands = parser.add_subparsers(
        title="commands", dest="command", required=True, metavar="COMMAND"
    )
    for command in COMMANDS.values():
        command.add(commands)
    return parser
