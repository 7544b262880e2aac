"""The command `keras-mixvit report`."""

from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._shared_options import add_ood


def add_report(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "report",
        help="write a page about runs: scores, diagrams, hard images, how to repeat",
        description="Writes one HTML page about finished runs, which explains what was "
        "trained, how good it is, when to trust it and which images are hard, and a "
        "JSON file with the numbers beside it. The page shows several runs side by "
        "side; they must be judged on the same images.",
        example="report runs/first --output first.html",
        usage="RUN [RUN ...] [options]",
    )
    command.add_argument(
        "runs", nargs="+", metavar="RUN", help="folder of a finished run"
    )
    command.add_argument(
        "--output",
        metavar="FILE.html",
        default="report.html",
        help="page to write (default: report.html); the numbers go to a file of the "
        "same name with .json",
    )
    command.add_argument(
        "--data",
        metavar="NAME_OR_PATH",
        help="judge all runs on these images (default: the test images of the runs)",
    )
    add_ood(command)
    more = command.add_argument_group("more options")
    more.add_argument(
        "--examples",
        type=int,
        default=8,
        metavar="N",
        help="the most images in a gallery (default: 8)",
    )
    more.add_argument(
        "--bootstrap",
        metavar="N",
        type=int,
        default=1000,
        help="resample the images N times for 95 %% intervals (default: 1000; 0: none)",
    )
    more.add_argument(
        "--batch-size",
        type=int,
        default=128,
        metavar="B",
        help="images per step (default: 128)",
    )


def check_report(**options) -> None:
    """Refuses runs that are not finished, and options out of their range."""
    from keras_mixvit.report._options import Options

    Options(**options)


def run_report(output: str, **options) -> int:
    """Writes the page and prints where it is."""
    from keras_mixvit.report._options import figures_beside
    from keras_mixvit.report._write_report import write_report

    console = make_console()
    verbose = "auto" if console.is_terminal else 0
    write_report(output=output, verbose=verbose, **options)
    for line in (f"Page: {output}", f"Figures: {figures_beside(output)}"):
        console.print(line, soft_wrap=True, markup=False)
    return 0
