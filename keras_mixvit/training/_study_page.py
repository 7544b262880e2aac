"""The page of a study's results: tables, what they mean, and how to repeat them."""

from typing import Any

from keras_mixvit.training._study_table import (
    COLUMNS,
    TRAINING,
    aligned,
    cell_text,
    cost_text,
    difference_text,
    markdown,
    present,
    seeds_text,
)

# What fits on a terminal.
SHORT = ("accuracy", "nll", "calibrated_nll", "ece", "corrupted_accuracy")


def page(results: dict[str, Any], figure: str | None) -> str:
    """The page as Markdown.

    Args:
        results: The content of `NAME.json`.
        figure: String, the name of the file of the figure, or `None`.
    """
    rows, baseline = results["rows"], results["baseline"]
    columns = present(COLUMNS, rows)
    parts = [f"# {results['name']}", results["note"].strip(), _about(results)]
    parts.append(markdown(main_table(results)))
    parts.append("* parameters: of all networks of the row.")
    parts[-1] += (
        f"\n* cost of training: operations, as a multiple of those of {baseline}: of "
        "one step, times the samples seen."
        f"\n* cost of inference: operations on one image, as a multiple of those of "
        f"{baseline}."
    )
    parts[-1] += "".join(f"\n* {c.heading}: {c.about}." for c in columns)
    if figure is not None:
        parts.append(f"![Accuracy and NLL_c of every row and seed]({figure})")
    tested = [row for row in rows if row["paired"] is not None]
    if tested and columns:
        lines = [["row", "seeds", *(c.heading for c in columns)]]
        for row in tested:
            found = row["paired"]
            count = found["accuracy"]["count"]
            texts = [difference_text(c, found.get(c.score)) for c in columns]
            lines.append([row["row"], str(count), *texts])
        parts += [f"## Difference from {baseline}", markdown(lines)]
        parts.append(
            "Each seed of a row is compared with the same seed of the baseline: mean "
            "difference ± its standard error, and the two-sided p of a paired t-test. "
            "Each p is of one test; many tests find something by chance. With one seed "
            f"there is neither spread nor test ({chr(0x2013)})."
        )
    further = present(TRAINING, rows)
    if further:
        lines = [["row", *(c.heading for c in further)]]
        for row in rows:
            texts = [cell_text(c, row["summary"].get(c.score)) for c in further]
            lines.append([row["row"], *texts])
        parts += ["## Training and parts", markdown(lines)]
        parts.append("\n".join(f"* {c.heading}: {c.about}." for c in further))
    parts += ["## Repeat it", f"    {results['command']}", _machine(results)]
    if results["missing"]:
        parts.append("Missing:\n\n" + "\n".join(map(_missing, results["missing"])))
    return "\n\n".join(part for part in parts if part) + "\n"


def main_table(results: dict[str, Any], short: bool = False) -> list[list[str]]:
    """Lines of the first table, the headings first.

    Args:
        results: The content of `NAME.json`.
        short: Boolean, whether it must fit on a terminal. Defaults to `False`.
    """
    rows = results["rows"]
    columns = [c for c in present(COLUMNS, rows) if not short or c.score in SHORT]
    heads = ["row", "seeds", "cost of training", "cost of inference"]
    heads = (
        ["row", "seeds", "cost"] if short else [*heads[:2], "parameters", *heads[2:]]
    )
    lines = [
        [
            *heads,
            *(
                c.heading.replace("corrupted", "corr.") if short else c.heading
                for c in columns
            ),
        ]
    ]
    for row in rows:
        costs = [
            cost_text(row[f"relative_{kind}_cost"])
            for kind in ("training", "inference")
        ]
        first = [row["row"], seeds_text(row)]
        first += costs[:1] if short else [f"{row['parameters']:,}", *costs]
        texts = [cell_text(c, row["summary"].get(c.score)) for c in columns]
        lines.append([*first, *texts])
    return lines


def terminal(results: dict[str, Any]) -> str:
    """The first table and the differences in accuracy, for a terminal.

    Args:
        results: The content of `NAME.json`.
    """
    lines = main_table(results, short=True)
    lines[0].append("difference in accuracy")
    for line, row in zip(lines[1:], results["rows"], strict=True):
        paired = row["paired"] and row["paired"]["accuracy"]
        line.append(difference_text(COLUMNS[0], paired))
    return aligned(lines)


def _about(results):
    finished, missing = len(results["cells"]), len(results["missing"])
    seeds = ", ".join(map(str, results["seeds"]))
    text = (
        f"{finished} of {finished + missing} trainings are finished (seeds {seeds}). "
        "Figures are mean ± standard deviation over seeds, of the last epoch, on the "
        f"{_split(results)}."
    )
    if results["equal_steps"]:
        return f"{text} Every network takes as many steps."
    return f"{text} The rows take different numbers of steps: see the cost of training."


def _split(results):
    judged = [cell["judged"] for cell in results["cells"]]
    if not judged:
        return "test images"
    return f"{judged[0]['samples']:,} {judged[0]['split']} images"


def _machine(results):
    hardware = results["hardware"]
    of_cells = [
        (cell["backend"], cell["device"], tuple(sorted(cell["versions"].items())))
        for cell in results["cells"]
    ]
    lines = []
    for backend, device, versions in dict.fromkeys(of_cells):
        listed = ", ".join(f"{name} {version}" for name, version in versions)
        lines.append(f"Trained on {backend}, {device}: {listed}.")
    accelerators = ", ".join(hardware["accelerators"]) or "none"
    lines.append(
        f"Processor: {hardware['processor']}, {hardware['cores']} cores; accelerators: "
        f"{accelerators}."
    )
    return "\n".join(lines)


def _missing(entry):
    error = f": {entry['error']}" if entry["error"] else ""
    return f"* {entry['row']}, seed {entry['seed']}{error}"
