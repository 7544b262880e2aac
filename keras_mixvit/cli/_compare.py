"""The command `keras-mixvit compare`."""

import importlib.util
from pathlib import Path

from keras_mixvit._checks import require
from keras_mixvit._start import start
from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._help import add_command
from keras_mixvit.cli._run_table import row_in_words


def add_compare(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "compare",
        help="compare finished runs in a table and a figure",
        description="Prints the networks of finished runs in one table, with the "
        "papers' results, and draws their curves into one figure.",
        example="compare runs/first runs/second --output curves.png",
        usage="RUN [RUN ...] [options]",
    )
    command.add_argument("runs", nargs="+", metavar="RUN", help="folder of a run")
    command.add_argument(
        "--output", metavar="FILE.png", help="draw the curves into this file"
    )


def check_compare(runs, output) -> None:
    """Refuses a run that is not finished, and a figure without matplotlib."""
    from keras_mixvit.training._found_runs import require_finished

    for run in runs:
        require_finished(run)
    require(
        output is None or importlib.util.find_spec("matplotlib") is not None,
        "`output` must not be set without matplotlib (pip install "
        "'keras_mixvit[figures]').",
        output=output,
    )


def run_compare(runs, output) -> int:
    """Compares and prints the table."""
    from rich.table import Table

    start()
    from keras_mixvit.training._compare import compare

    rows = compare(runs, output)
    console = make_console(width=130)
    table = Table()
    for column in ("run", "model", "data", "epochs, seed"):
        table.add_column(column, overflow="fold")
    for column in ("parameters", "accuracy", "NLL", "NLL_c", "ECE", "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(
            row["run"],
            row["model"],
            row["data"],
            f"{row['epochs']}, {row['seed']}",
            *row_in_words(row),
        )
    console.print(table)
    lines = []
    protocols = {row["protocol"] for row in rows}
    for row in {row["run"]: row for row in rows}.values():
        if row["published"]:
            lines.append(f"{row['run']}: published {row['published']}")
        if row["differs"]:
            lines.append(f"{row['run']}: another training, {row['differs']}")
        elif row["scaled"]:
            lines.append(f"{row['run']}: {row['scaled']}")
        if len(protocols) > 1:
            lines.append(f"{row['run']}: protocol {row['protocol']!r}")
    if output is not None:
        lines.append(f"Curves: {Path(output)}")
    for line in lines:
        console.print(line, soft_wrap=True, markup=False)
    return 0
