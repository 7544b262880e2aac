"""The command `keras-mixvit study`."""

import sys

from keras_mixvit._exit_status import INTERRUPTED
from keras_mixvit.cli._help import add_command


def add_study(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "study",
        help="compare recipes over several seeds",
        description="Trains every row (recipe) of a study with every seed, for the "
        "same number of steps, and writes the results as a page, a figure and JSON. "
        "Finished trainings are not repeated: the same command continues an "
        "interrupted study.",
        example="study digits.toml --seeds 0,1",
        usage="FILE.toml [options]",
    )
    command.add_argument("file", metavar="FILE.toml", help="file of the study")
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
        "--jobs",
        type=int,
        metavar="N",
        help="trainings at the same time (default: one for each accelerator, or one)",
    )
    command.add_argument(
        "--report",
        action="store_true",
        help="train nothing; write the results of the finished trainings",
    )
    folders = command.add_argument_group("folders")
    folders.add_argument(
        "--runs",
        default="runs",
        metavar="DIR",
        help="folder of the runs (default: runs)",
    )
    folders.add_argument(
        "--output",
        default="results",
        metavar="DIR",
        help="folder of NAME.json, NAME.md and NAME.png (default: results)",
    )
    folders.add_argument("--data-dir", metavar="DIR", help="folder with the images")


def check_study(file, seeds, rows, jobs, **options) -> None:
    """Raises the errors in the file that can be found without a backend."""
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
