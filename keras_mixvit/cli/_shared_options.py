"""Options that several commands have."""

from typing import Any

from keras_mixvit.prediction._options import MAX_PIXELS


def add_sets(parser: Any) -> None:
    """Adds `--sets`."""
    parser.add_argument(
        "--sets",
        type=float,
        metavar="MISS",
        help="add a set of possible classes, which misses the true class at this "
        "rate, such as 0.1; fitted on the validation images",
    )


def add_temperature(parser: Any) -> None:
    """Adds `--temperature`."""
    parser.add_argument(
        "--temperature",
        metavar="T",
        type=float,
        help="divide the logits by T (default: the temperature that `evaluate "
        "--calibrate` saved with the model; 1: plain logits)",
    )


def add_max_pixels(parser: Any) -> None:
    """Adds `--max-pixels`."""
    parser.add_argument(
        "--max-pixels",
        type=int,
        default=MAX_PIXELS,
        metavar="N",
        help="do not decode files with more pixels than this (default: "
        f"{MAX_PIXELS:,})",
    )


def add_ood(parser: Any) -> None:
    """Adds `--ood`."""
    parser.add_argument(
        "--ood",
        metavar="NAME_OR_PATH",
        action="append",
        default=[],
        help="images unlike the training images, of which the model should be unsure; "
        "may be given several times",
    )
