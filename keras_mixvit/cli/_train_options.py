"""The options of `keras-mixvit train` and `keras-mixvit resume`."""

import argparse

from keras_mixvit.cli._help import add_command


def add_train(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "train",
        help="train a recipe, and single networks to compare it with",
        description="Trains a recipe and judges the ensemble and each subnetwork on "
        "the test images, after the last epoch. Without a name, it trains a single "
        "network, the single network with CutMix, and MixViT on small digits, in a few "
        "minutes.",
        example="train mixvit-convit --data ./photos --epochs 50 --single-cutmix",
        usage="[NAME] [options]",
    )
    command.add_argument(
        "name",
        nargs="?",
        metavar="NAME",
        help="a recipe from the list of `keras-mixvit recipes`, or a .toml file",
    )
    command.add_argument(
        "--data",
        metavar="NAME_OR_PATH",
        help="train on other images: the name of a set, such as hf:owner/name, a .npz "
        "file, a folder, or wds:FOLDER of .tar shards; adapts the recipe to them",
    )
    command.add_argument(
        "--preset",
        metavar="NAME_OR_PATH",
        help="start from pretrained weights: a timm name, a repository on the hub, "
        "or a folder that `keras-mixvit export --format preset` wrote",
    )
    length = command.add_mutually_exclusive_group()
    length.add_argument(
        "--epochs",
        type=int,
        metavar="E",
        help="train for E epochs; the schedule is scaled with them",
    )
    length.add_argument(
        "--scale",
        type=float,
        metavar="X",
        help="multiply the epochs and the schedule, such as by 0.1",
    )
    command.add_argument(
        "--seed", type=int, metavar="N", help="seed of everything random (default: 0)"
    )
    command.add_argument(
        "--set",
        dest="settings",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="change an option of the recipe, such as backbone.width=96; may be "
        "repeated",
    )
    command.add_argument(
        "--single",
        action=argparse.BooleanOptionalAction,
        help="train the single network, too (default: only without a name)",
    )
    command.add_argument(
        "--single-cutmix",
        action=argparse.BooleanOptionalAction,
        help="train the single network with CutMix, too: a baseline that is "
        "regularised, too (default: only without a name and --single)",
    )
    command.add_argument(
        "--output",
        metavar="DIR",
        help="new folder of the run (default: runs/DATA-METHOD-BACKBONE-seedN)",
    )
    _add_images(command)
    _add_training(command)
    _add_devices(command)


def _add_images(command):
    images = command.add_argument_group("images")
    images.add_argument("--data-dir", metavar="DIR", help="folder with the images")
    images.add_argument(
        "--data-share",
        type=float,
        metavar="X",
        help="train on this share of the images of each class",
    )
    images.add_argument(
        "--protocol",
        choices=("validation", "paper"),
        help="validation: the validation images choose the best epoch, not the test "
        "images; paper: train on all training images, monitor the test images, and "
        "report the last epoch",
    )
    images.add_argument(
        "--val-share",
        type=float,
        metavar="X",
        help="validate on this share of the training images, if the set has no "
        "validation images (default: 0.1)",
    )
    images.add_argument(
        "--on-error",
        choices=("when_read", "refuse", "skip"),
        default="when_read",
        help="damaged image files: stop when one is read; or read all files first and "
        "list the damaged ones; or leave them out and list them in skipped.json "
        "(default: when_read)",
    )


def _add_training(command):
    training = command.add_argument_group("training")
    training.add_argument(
        "--width-scale",
        type=float,
        metavar="X",
        help="multiply the width of the network",
    )
    training.add_argument(
        "--precision",
        choices=("float32", "bfloat16"),
        help="precision of a step; weights stay float32 (default: the recipe's)",
    )
    training.add_argument(
        "--apply-on",
        choices=("pipeline", "device"),
        help="where images are augmented and mixed (default: the recipe's)",
    )
    training.add_argument(
        "--tensorboard", action="store_true", help="write logs for TensorBoard"
    )


def add_resume(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "resume",
        help="resume an interrupted run",
        description="Resumes a run from its last checkpoint. Finished trainings are "
        "not repeated.",
        example="resume runs/first",
        usage="RUN [options]",
    )
    command.add_argument("run", metavar="RUN", help="folder of the run")
    _add_devices(command)


def _add_devices(command):
    devices = command.add_argument_group("devices")
    devices.add_argument(
        "--devices",
        type=int,
        metavar="N",
        help="devices that share each batch; on PyTorch the command starts a process "
        "for each, unless torchrun did (default: one, or one for each process that "
        "was started)",
    )
    devices.add_argument(
        "--timeout",
        type=float,
        default=600.0,
        metavar="SECONDS",
        help="how long to wait for another process (default: 600)",
    )
    devices.add_argument(
        "--steps-per-execution",
        type=int,
        metavar="K",
        help="training steps in one call to the device, on JAX and TensorFlow "
        "(default: 1, or up to 100 on JAX with an accelerator)",
    )
