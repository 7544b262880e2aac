"""The page of a study's results: tables, explanations, and how to repeat them."""

from collections.abc import Sequence
from typing import Any

from keras_mixvit.training._study_figures import relative_costs
from keras_mixvit.training._study_table import (
    COLUMNS,
    NOTHING,
    TRAINING,
    aligned,
    cell_text,
    cost_text,
    difference_text,
    markdown,
    present,
    seeds_text,
)

# The scores that fit on a terminal.
SHORT = ("accuracy", "nll", "calibrated_nll")
COSTS = ("training", "inference")


def page(results: dict[str, Any], figure: str | None) -> str:
    """The page as Markdown.

    Args:
        results: The content of `NAME.json`.
        figure: String, the name of the file of the figure, or `None`.
    """
    parts = [
        f"# {results['name']}",
        results["note"].strip(),
        _about(results),
        *_main_part(results),
        "" if figure is None else f"![Accuracy and NLL_c of every seed]({figure})",
        *_differences_part(results),
        *_training_part(results),
        "## Repeat it",
        f"    {results['command']}",
        _machine(results),
    ]
    if results["missing"]:
        parts += ["## Missing", "\n".join(map(_missing, results["missing"]))]
    return "\n\n".join(part for part in parts if part) + "\n"


def plan_text(
    name: str, baseline: str, seeds: Sequence[int], plan: dict[str, Any]
) -> str:
    """The plan of a study, as text for a terminal.

    Args:
        name: String, the name of the study.
        baseline: String, the row to which others are compared.
        seeds: Sequence of integers.
        plan: Dict that `plan` of `_study_plan.py` returned.
    """
    lines = [["row", "networks", "parameters", "steps", "cost: training", "inference"]]
    for row, found in plan["rows"].items():
        costs = relative_costs(plan, row, baseline)
        lines.append(
            [
                f"{row} (baseline)" if row == baseline else row,
                str(found["members"]),
                f"{found['parameters']:,}",
                f"{found['steps']:,}",
                *map(cost_text, costs.values()),
            ]
        )
    listed = ", ".join(map(str, seeds))
    return f"{name}: {len(plan['rows'])} rows, seeds {listed}\n\n{aligned(lines)}\n"


def terminal(results: dict[str, Any]) -> str:
    """The main scores and the differences in accuracy, as text for a terminal.

    Args:
        results: The content of `NAME.json`.
    """
    rows = results["rows"]
    columns = [column for column in present(COLUMNS, rows) if column.score in SHORT]
    headings = [column.heading for column in columns]
    lines = [["row", "seeds", "cost", *headings, "difference in accuracy"]]
    for row in rows:
        cost = cost_text(row["relative_training_cost"])
        paired = row["paired"] and row["paired"]["accuracy"]
        texts = [cell_text(c, row["summary"].get(c.score)) for c in columns]
        difference = difference_text(COLUMNS[0], paired)
        lines.append([row["row"], seeds_text(row), cost, *texts, difference])
    return aligned(lines)


def _about(results):
    finished, missing = len(results["cells"]), len(results["missing"])
    seeds = ", ".join(map(str, results["seeds"]))
    judged = [cell["judged"] for cell in results["cells"]]
    images = "test images"
    if judged:
        images = f"{judged[0]['samples']:,} {judged[0]['split']} images"
    steps = {row["steps"] for row in results["rows"]}
    equal = "The rows take different numbers of steps: look at the cost of training."
    if len(steps) == 1:
        equal = f"Every network takes {steps.pop():,} steps."
    return (
        f"{finished} of {finished + missing} trainings are finished (seeds {seeds}). "
        "Figures are mean ± standard deviation over the seeds, of the last epoch, on "
        f"the {images}. {equal}"
    )


def _main_part(results):
    rows, baseline = results["rows"], results["baseline"]
    columns = present(COLUMNS, rows)
    heads = ["row", "seeds", "parameters", "cost of training", "cost of inference"]
    lines = [[*heads, *(column.heading for column in columns)]]
    for row in rows:
        costs = [cost_text(row[f"relative_{kind}_cost"]) for kind in COSTS]
        texts = [cell_text(c, row["summary"].get(c.score)) for c in columns]
        parameters = f"{row['parameters']:,}"
        lines.append([row["row"], seeds_text(row), parameters, *costs, *texts])
    meanings = [
        "* parameters: of all networks of the row.",
        "* cost of training: operations of one pass forward and backward on one "
        f"sample, times the samples seen; the cost of {baseline} is 1.",
        f"* cost of inference: operations on one image; the cost of {baseline} is 1.",
        *_meanings(columns),
    ]
    if any(column.score == "corrupted_accuracy" for column in columns):
        meanings.append(f"* Corruptions: {_corruptions(results)}.")
    return [markdown(lines), "\n".join(meanings)]


def _meanings(columns):
    return [f"* {column.heading}: {column.about}." for column in columns]


def _corruptions(results):
    """The corruptions of the first cell that was evaluated under any."""
    judged = (cell["judged"]["corrupted"] for cell in results["cells"])
    rows = next(found for found in judged if found)["rows"]
    names = ", ".join(dict.fromkeys(row["corruption"] for row in rows))
    severities = ", ".join(dict.fromkeys(str(row["severity"]) for row in rows))
    return f"{names}, at the severities {severities} of `corrupt`"


def _differences_part(results):
    columns = present(COLUMNS, results["rows"])
    rows = [row for row in results["rows"] if row["paired"] is not None]
    if not rows or not columns:
        return []
    lines = [["row", "seeds", *(column.heading for column in columns)]]
    for row in rows:
        found = row["paired"]
        texts = [difference_text(c, found.get(c.score)) for c in columns]
        lines.append([row["row"], str(found["accuracy"]["count"]), *texts])
    return [
        f"## Difference from {results['baseline']}",
        markdown(lines),
        "Each seed of a row is compared with the same seed of the baseline. The "
        "table gives the mean difference ± its standard error, and the two-sided p "
        "of a paired t-test. Each p belongs to one test: among many tests, some show "
        f"a difference by chance. One seed has no spread and no test ({NOTHING}).",
    ]


def _training_part(results):
    columns = present(TRAINING, results["rows"])
    if not columns:
        return []
    lines = [["row", *(column.heading for column in columns)]]
    for row in results["rows"]:
        texts = [cell_text(c, row["summary"].get(c.score)) for c in columns]
        lines.append([row["row"], *texts])
    meanings = "\n".join(_meanings(columns))
    return ["## Training and parts", markdown(lines), meanings]


def _machine(results):
    hardware = results["hardware"]
    trained = [
        (cell["backend"], cell["device"], tuple(sorted(cell["versions"].items())))
        for cell in results["cells"]
    ]
    lines = []
    for backend, device, versions in dict.fromkeys(trained):
        listed = ", ".join(f"{name} {version}" for name, version in versions)
        lines.append(f"Trained on {backend}, {device}: {listed}.")
    if len(lines) > 1:
        lines.append("The trainings differ in backend, device or versions.")
    accelerators = ", ".join(hardware["accelerators"]) or "none"
    lines.append(
        f"Processor: {hardware['processor']}, {hardware['cores']} cores; accelerators: "
        f"{accelerators}."
    )
    return "\n".join(lines)


def _missing(entry):
    error = f": {entry['error']}" if entry["error"] else ""
    return f"* {entry['row']}, seed {entry['seed']}{error}"
