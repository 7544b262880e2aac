"""The command `keras-mixvit study`."""

import sys

from keras_mixvit._exit_status import INTERRUPTED


def add_study(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = commands.add_parser(
        "study",
        help="train rows of recipes with several seeds, and compare them",
        description="Trains every row of a study with every seed, at equal steps, and "
        "writes a table, a figure and all figures as JSON. What is finished is not "
        "trained again: the same command continues a study that was interrupted.",
    )
    command.add_argument("file", metavar="FILE.toml", help="file of the study")
    command.add_argument(
        "--runs",
        default="runs",
        metavar="DIR",
        help="folder of runs (default: runs)",
    )
    command.add_argument(
        "--output",
        default="results",
        metavar="DIR",
        help="folder of NAME.json, NAME.md and NAME.png (default: results)",
    )
    command.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="trainings side by side (default: one on each accelerator, or one)",
    )
    command.add_argument(
        "--seeds", metavar="0,1", help="train only these seeds of the file now"
    )
    command.add_argument(
        "--rows",
        action="append",
        metavar="NAME",
        help="train only this row of the file now; may be repeated",
    )
    command.add_argument(
        "--report",
        action="store_true",
        help="train nothing; write the results of what is finished",
    )
    command.add_argument("--data-dir", metavar="DIR", help="folder with the images")


def check_study(file, seeds, rows, jobs, **options) -> None:
    """Refuses what is wrong in the file, as far as no backend is needed to tell."""
    from keras_mixvit._checks import require_positive_integer
    from keras_mixvit.training._study_file import (
        chosen_seeds,
        read_study,
        require_chosen,
    )

    if jobs is not None:
        require_positive_integer("jobs", jobs)
    require_chosen(read_study(file), seeds and chosen_seeds(seeds), rows)


def run_study(seeds, **options) -> int:
    """Trains and prints the table."""
    from keras_mixvit.training._study import study
    from keras_mixvit.training._study_file import chosen_seeds

    def tell(text):
        # A study takes hours, and its output may go to a file.
        print(text, flush=True)

    try:
        found = study(seeds=seeds and chosen_seeds(seeds), tell=tell, **options)
    except KeyboardInterrupt:
        print(
            "keras-mixvit: interrupted. The same command continues the study.",
            file=sys.stderr,
        )
        return INTERRUPTED
    return int(any(entry["error"] is not None for entry in found["missing"]))
