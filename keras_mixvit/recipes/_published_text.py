"""The published figures of a recipe, in words."""

from keras_mixvit.recipes._published import Published

UNITS = {"parameters": " M"}


def figures_of(row: Published) -> str:
    """The figures of a row, such as `"accuracy 82.4, parameters 12.6 M"`."""
    found = []
    for metric, value, *deviation in row.figures:
        spread = f" ± {deviation[0]}" if deviation else ""
        found.append(f"{metric} {value}{spread}{UNITS.get(metric, '')}")
    return ", ".join(found) or "a curve without numbers"


def source_of(row: Published) -> str:
    """The source of a row, such as `"MixViT Table 2c: Source embedding"`."""
    return f"{row.paper} {row.table}: {row.row}"


def in_words(rows: list[Published]) -> list[str]:
    """Rows with figures in words, each figure once.

    Args:
        rows: List of `Published`.
    """
    by_figures = {}
    for row in rows:
        if row.figures:
            by_figures.setdefault(row.figures[0], row)
    return [f"{source_of(row)}: {figures_of(row)}" for row in by_figures.values()]
