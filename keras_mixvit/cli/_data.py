"""The command `keras-mixvit data`."""

import json

from keras_mixvit._start import start
from keras_mixvit.cli._console import make_console
from keras_mixvit.cli._help import add_command

LISTED = 10


def add_data(commands) -> None:
    """Adds the command to the parser's subcommands."""
    command = add_command(
        commands,
        "data",
        help="look at images before you train on them",
        description="Reads a set of images once and prints its splits, classes, sizes "
        "and colours, images that are in two splits, and damaged files. The exit "
        "status is 1 if there are damaged files.",
        example="data ./photos",
        usage="NAME [options]",
    )
    command.add_argument(
        "name",
        metavar="NAME",
        help="the name of a set, a .npz file, a folder, hf:owner/name, or wds:FOLDER",
    )
    command.add_argument("--data-dir", metavar="DIR", help="folder with the images")
    command.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="what to print (default: text)",
    )


def run_data(name, data_dir, format) -> int:
    """Inspects the images and prints what was found."""
    start()
    from keras_mixvit.data.sets._inspection import inspect

    found = inspect(name, data_dir)
    if format == "json":
        print(json.dumps(found.to_dict(), indent=2))
    else:
        _print(found)
    return 0 if found.is_intact else 1


def _print(found):
    from rich.table import Table

    console = make_console()
    table = Table(title=found.data)
    table.add_column("")
    for name in found.splits:
        table.add_column(name, justify="right")
    for label, cell in ROWS.items():
        table.add_row(label, *(cell(split) for split in found.splits.values()))
    console.print(table)
    classes = Table(title="Images of each class")
    classes.add_column("class")
    for name in found.splits:
        classes.add_column(name, justify="right")
    names = dict.fromkeys(c for split in found.splits.values() for c in split.classes)
    shown = list(names)[:LISTED] if len(names) > 3 * LISTED else list(names)
    for name in shown:
        counts = (split.classes.get(name, 0) for split in found.splits.values())
        classes.add_row(name, *(f"{count:,}" for count in counts))
    if len(shown) < len(names):
        classes.add_row(f"and {len(names) - len(shown):,} more")
    console.print(classes)
    for name, split in found.splits.items():
        for file, error in list((split.damaged or {}).items())[:LISTED]:
            line = f"Damaged in {name}: {file} ({error})"
            console.print(line, markup=False, soft_wrap=True)
    for pair in found.shared[:LISTED]:
        line = (
            f"The same {pair['same']}: {pair['split']}/{pair['image']} and "
            f"{pair['other_split']}/{pair['other_image']}"
        )
        console.print(line, markup=False, soft_wrap=True)
    for remark in found.remarks:
        console.print(remark, markup=False, soft_wrap=True)


def _three(values) -> str:
    if values is None:
        return ""
    low, middle, high = values
    return f"{low}" if low == high else f"{low} to {high}, median {middle}"


def _counted(counts: dict | None) -> str:
    counts = counts or {}
    return ", ".join(f"{name}: {count:,}" for name, count in counts.items())


ROWS = {
    "images": lambda split: f"{split.images:,}",
    "classes": lambda split: f"{sum(map(bool, split.classes.values())):,}",
    "height": lambda split: _three(split.height),
    "width": lambda split: _three(split.width),
    "colours": lambda split: _counted(split.colours),
    "turned by EXIF": lambda split: f"{split.turned:,}",
    "damaged": lambda split: f"{len(split.damaged or ()):,}",
    "repeated within": lambda split: f"{split.repeated:,}",
    "other files": lambda split: _counted(split.ignored),
}
