"""The command `keras-mixvit`."""

import argparse
import dataclasses
import sys
from pathlib import Path

import keras

from keras_mixvit.recipes import TrainingOptions, export, train
from keras_mixvit.recipes.evaluate_command import add_evaluate, run_evaluate
from keras_mixvit.recipes.export import EXPORT_FORMATS
from keras_mixvit.recipes.train import has_matplotlib

OPTIONS = {
    "data": "digits (part of the package), cifar10, cifar100, or a .npz file",
    "output": "new folder of the run (default: runs/DATA-METHOD-BACKBONE-seedN)",
    "method": "mixvit, mimo, linear-mixmo, cut-mixmo, or, for a single network, "
    "cutmix, mixup or manifold-mixup",
    "backbone": "convit, cait, wideresnet, preactresnet or resnet",
    "depth": "layers of a wideresnet, 6n + 4",
    "widening": "factor of the channels of a residual network",
    "patch_size": "side of a patch in pixels (default: an eighth of the image)",
    "width": "features of a token",
    "num_heads": "attention heads",
    "num_blocks": "self-attention blocks",
    "num_class_blocks": "class-attention blocks",
    "num_subnetworks": "subnetworks",
    "source_attribution": "embedding, encoding or none",
    "attribution_position": "late or early",
    "input_mixing": "binarized_cutmix, averaged_masks or all_tokens",
    "inference": "parallel, sum, alternating (mixvit), or the index of a subnetwork "
    "(default: that of the method)",
    "ensemble_of": "logits or probabilities",
    "alpha": "parameter of the distribution of the masks (default: 0.5 for mixvit, "
    "else 2)",
    "r": "how alike the weights of the losses of mixmo are",
    "probability": "share of batches of cut-mixmo with boxes",
    "repetitions": "how often an image stands in a batch",
    "pixel_mixing": "none, cutmix or mixup within each input",
    "epochs": "epochs of each training",
    "batch_size": "pairs per step",
    "learning_rate": "rate after the warm-up (default: 0.002, with residual networks "
    "0.1 / repetitions x batch size / 128)",
    "weight_decay": "of AdamW, or, with residual networks, of L2 in the loss (default: "
    "0.05, or 0.0003)",
    "label_smoothing": "label smoothing of the training loss",
    "stochastic_depth_rate": "stochastic depth",
    "seed": "seed of everything",
}


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
        return _train(TrainingOptions(**options))
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
    """The parser of the command, its defaults taken from `TrainingOptions`."""
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
    for field in dataclasses.fields(TrainingOptions):
        if field.name == "single":
            continue
        text = OPTIONS[field.name]
        if field.default is not None:
            text += f" (default: {field.default})"
        command.add_argument(
            f"--{field.name.replace('_', '-')}",
            type=_parser_of(field),
            default=field.default,
            metavar=field.name.split("_")[-1].upper(),
            help=text,
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


def _parser_of(field):
    if field.name == "inference":
        return lambda text: int(text) if text.isdecimal() else text
    if field.name == "patch_size":
        return int
    if field.name in ("alpha", "learning_rate", "weight_decay"):
        return float
    return str if field.default is None else type(field.default)


def _train(options: TrainingOptions) -> int:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    console.print(f"Keras {keras.version()} on {keras.config.backend()}")
    if not has_matplotlib():
        console.print(
            "No figures: matplotlib is missing (pip install 'keras_mixvit[figures]').",
            markup=False,
        )
    folder, rows = train(options, verbose="auto" if console.is_terminal else 2)
    name = Path(options.data).name
    table = Table(title=f"{name}, {options.epochs} epochs, seed {options.seed}")
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
