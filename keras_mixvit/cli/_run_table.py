"""The table that ends a training."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console


def print_run(console: "Console", folder: Path, rows: list[dict[str, Any]]) -> None:
    """Prints the networks of a finished run, and what to conclude.

    Args:
        console: Where to print.
        folder: Path of the folder of the run.
        rows: Rows of all networks of the run.
    """
    from rich.table import Table

    from keras_mixvit.data.sets._load import data_label
    from keras_mixvit.recipes._differences import published_of, scale_of
    from keras_mixvit.recipes._published_text import in_words
    from keras_mixvit.training._found_runs import RESULT
    from keras_mixvit.training._run_files import judged_images
    from keras_mixvit.training._run_rows import conclusion
    from keras_mixvit.training._run_settings import RunSettings

    recipe = RunSettings.read(folder).recipe
    share = recipe.data.share
    parts = [
        data_label(recipe.data.name),
        f"{100 * share:.3g} % of the training images" if share != 1 else "",
        f"{recipe.total_epochs} epochs",
        f"seed {recipe.seed}",
        scale_of(recipe),
    ]
    table = Table(title=", ".join(part for part in parts if part))
    table.add_column("model")
    for column in ("parameters", "accuracy", "NLL", "NLL_c", "ECE", "seconds"):
        table.add_column(column, justify="right")
    for row in rows:
        table.add_row(row["model"], *row_in_words(row))
    console.print(table)
    published, differs = published_of(recipe)
    lines = conclusion(rows, lambda: judged_images(folder / RESULT))
    lines += [f"Published, {text}" for text in in_words(published)]
    if published and differs:
        lines.append(f"This is another training: {', '.join(differs)}.")
    lines.append(f"Models, history and figures: {folder}")
    for line in lines:
        # A path that is broken over lines cannot be copied.
        console.print(line, soft_wrap=True, markup=False)


def row_in_words(row: dict[str, Any]) -> list[str]:
    """Parameters, scores and seconds of a network, as a table shows them.

    Args:
        row: Dict of a network or of a part of one, perhaps of an older version,
            which had fewer scores.
    """
    return [
        _shown(row["parameters"], "{:,}"),
        f"{100 * row['accuracy']:.2f} %",
        f"{row['nll']:.4f}",
        _shown(row.get("calibrated_nll"), "{:.4f}"),
        _shown(row.get("ece"), "{:.2%}").replace("%", " %"),
        _shown(row["seconds"], "{:.1f}"),
    ]


def _shown(value, form):
    return "" if value is None else form.format(value)
