"""The command `keras-mixvit`."""

import argparse
import sys
from pathlib import Path

import keras

from keras_mixvit.recipes import Recipe, export, train
from keras_mixvit.recipes.evaluate_command import add_evaluate, run_evaluate
from keras_mixvit.recipes.export import EXPORT_FORMATS
from keras_mixvit.recipes.train import has_matplotlib


def main(arguments: list[str] | None = None) -> int:
    """Runs the command and returns its exit status.

    Args:
        arguments: The words after the name of the command, or `None` for
            those of the process. Defaults to `None`.

    Returns:
        0, 1 after an error that is told in one sentence, or 130 after an
        interruption.
    """
    options = vars(make_parser().parse_args(arguments))
    command = options.pop("command")
    try:
        if command == "evaluate":
            return run_evaluate(**options)
        if command == "export":
            return _export(**options)
        settings, output, single = (
            options.pop(name) for name in ("settings", "output", "single")
        )
        return _train(Recipe().with_settings(settings), output, single)
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"keras-mixvit: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(
            "keras-mixvit: interrupted; the run's folder holds what was trained.",
            file=sys.stderr,
        )
        return 130


def make_parser() -> argparse.ArgumentParser:
    """The parser of the command."""
    parser = argparse.ArgumentParser(
        prog="keras-mixvit",
        description="Multi-input multi-output training of image classifiers.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    _add_train(commands)
    _add_export(commands)
    add_evaluate(commands)
    return parser


def _add_train(commands):
    command = commands.add_parser(
        "train",
        help="train a method and the single network and compare them",
        description="Trains a single network and a method, equally long, and prints "
        "the accuracy and NLL of both, of each subnetwork, and of the ensemble.",
    )
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="a field of the recipe, such as method=cut-mixmo; may be repeated",
    )
    command.add_argument(
        "--output",
        help="new folder of the run (default: runs/DATA-METHOD-BACKBONE-seedN)",
    )
    command.add_argument(
        "--no-single",
        dest="single",
        action="store_false",
        help="do not train the single network",
    )


def _add_export(commands):
    command = commands.add_parser(
        "export",
        help="write the ensemble of a run for another runtime",
        description="Writes the ensemble of a run as one classifier of images.",
    )
    command.add_argument("run", help="folder of the run, or a .keras file")
    command.add_argument(
        "--format",
        required=True,
        choices=EXPORT_FORMATS,
        help="keras (any backend); tf_saved_model (TensorFlow, JAX); onnx, litert "
        "(TensorFlow); torch, a .pt2 file (PyTorch)",
    )
    command.add_argument(
        "--output", help="new file or folder (default: export, beside the model)"
    )


def _train(recipe: Recipe, output: str | None, single: bool) -> int:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"Keras {keras.version()} on {keras.config.backend()}")
    if not has_matplotlib():
        console.print(
            "No figures: matplotlib is missing (pip install 'keras_mixvit[figures]').",
            markup=False,
        )
    folder, rows = train(
        recipe, output, single, verbose="auto" if console.is_terminal else 2
    )
    name = Path(recipe.data).name
    table = Table(title=f"{name}, {recipe.total_epochs} epochs, seed {recipe.seed}")
    table.add_column("model")
    for column in ("parameters", "accuracy", "NLL", "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        parameters, seconds = row["parameters"], row["seconds"]
        table.add_row(
            row["model"],
            "" if parameters is None else f"{parameters:,}",
            f"{100 * row['accuracy']:.2f} %",
            f"{row['nll']:.4f}",
            "" if seconds is None else f"{seconds:.1f}",
        )
    console.print(table)
    # A path that is broken over lines cannot be copied.
    console.print(f"Model, history and figures: {folder}", soft_wrap=True, markup=False)
    return 0


def _export(run: str, format: str, output: str | None) -> int:
    path = export(run, format, output)
    print(f"Ensemble of {run}, images to logits: {path}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
