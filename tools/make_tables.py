"""Writes the tables of README.md and docs/ from files of the repository.

    python tools/make_tables.py

| table | made from |
|---|---|
| results in README.md and docs/results.md | docs/results/*.json, which studies wrote |
| docs/recipes.md | the recipes and the papers' tables in keras_mixvit/recipes/papers/ |
| methods and backbones in docs/choosing.md | the list that tests/recipes tries |

`tests/test_docs_tables.py` fails where one of them is not up to date.
"""

import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))
RESULTS = ROOT / "docs" / "results"
BEGIN, END = "<!-- results: python tools/make_tables.py -->", "<!-- /results -->"
PAIRS = "<!-- methods and backbones: python tools/make_tables.py -->"
PAIRS_END = "<!-- /methods and backbones -->"
README_COLUMNS = ("accuracy", "calibrated_nll", "ece")
PAGE_COLUMNS = (*README_COLUMNS[:1], "nll", *README_COLUMNS[1:], "corrupted_accuracy")
HEADINGS = {
    "accuracy": "accuracy %",
    "nll": "NLL",
    "calibrated_nll": "NLL_c",
    "ece": "ECE %",
    "corrupted_accuracy": "corrupted accuracy %",
}
FORMS = {"nll": (1, 3), "calibrated_nll": (1, 3)}
PERCENT = (100, 2)
SETS = {
    "digits": "Digits",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "tiny-imagenet": "Tiny ImageNet",
    "imagenet100": "ImageNet-100",
    "imagenet1k": "ImageNet",
}
# The words for the metrics of the papers, and their order in a cell.
METRICS = {
    "accuracy": "",
    "top5": "top 5 ",
    "nll": "NLL ",
    "nll_c": "NLL_c ",
    "ece": "ECE ",
    "parameters": "parameters ",
}


def studies() -> list[dict]:
    """The results of all studies, by file; other files of results are not studies."""
    found = []
    for path in sorted(RESULTS.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"))
        if "study" in content:
            found.append({"file": path.stem, **content})
    return found


def cell(row: dict, score: str) -> str:
    """Mean and standard deviation over the seeds."""
    found = row["summary"][score]
    if found["mean"] is None:
        return "–"
    factor, digits = FORMS.get(score, PERCENT)
    mean = f"{factor * found['mean']:.{digits}f}"
    if found["sd"] is None:
        return mean
    return f"{mean} ± {factor * found['sd']:.{digits}f}"


def results_table(found: dict, columns: tuple[str, ...]) -> list[str]:
    """The table of a study: one line a row, the baseline marked."""
    headings = [
        "network",
        "seeds",
        "cost of inference",
        *(HEADINGS[name] for name in columns),
    ]
    lines = [
        "| " + " | ".join(headings) + " |",
        "|---|" + "---:|" * (len(headings) - 1),
    ]
    for row in found["rows"]:
        count = count_of(row)
        if not count:
            continue
        is_baseline = row["row"] == found["baseline"]
        name = f"**{row['row']}** (baseline)" if is_baseline else row["row"]
        cost = f"{row['relative_inference_cost']:.2f}"
        cells = [name, str(count), cost, *(cell(row, name) for name in columns)]
        lines.append("| " + " | ".join(cells) + " |")
    return lines


def about(found: dict) -> str:
    """A sentence about a study and how many of its trainings are finished."""
    asked = len(found["rows"]) * len(found["seeds"])
    done = finished(found)
    share = f"{done} of its" if done < asked else "All of its"
    return f"{found['note']} {share} {asked} trainings are finished."


def meaning(found: list[dict]) -> str:
    """How to read the tables, and whether the seeds allow conclusions."""
    text = (
        "Mean ± standard deviation over the seeds, on the test images. NLL_c is the "
        "negative log-likelihood after temperature scaling; lower is better, as for "
        "ECE."
    )
    counts = [count_of(row) for study in found for row in study["rows"]]
    if min(filter(None, counts), default=0) < 3:
        text += " Rows of one or two seeds are no comparison yet."
    return text


def finished(found: dict) -> int:
    """How many trainings of a study are finished."""
    return sum(map(count_of, found["rows"]))


def count_of(row: dict) -> int:
    """How many trainings of a row are finished; a row without any has no scores."""
    return row["summary"].get("accuracy", {"count": 0})["count"]


def readme_results() -> str:
    """The block of README.md: the study of the most seeds, and links to the others."""
    shown, *others = sorted(studies(), key=lambda found: -len(found["seeds"]))
    title = f"[{shown['name']}](docs/results/{shown['file']}.md)"
    lines = [f"{title}: {about(shown)}", ""]
    lines += [*results_table(shown, README_COLUMNS), "", meaning([shown])]
    if others:
        links = (
            f"[{found['name']}](docs/results/{found['file']}.md)" for found in others
        )
        lines += ["", f"Other studies: {', '.join(links)}."]
    return "\n".join(lines)


def page_results() -> str:
    """The block of docs/results.md."""
    lines = []
    for found in (all_found := studies()):
        lines += [f"### {found['name']}", "", about(found), ""]
        lines += [*results_table(found, PAGE_COLUMNS), ""]
        lines += [
            f"[All figures, differences and tests](results/{found['file']}.md), "
            f"[as JSON](results/{found['file']}.json).",
            "",
        ]
    return "\n".join([*lines, meaning(all_found)])


def with_block(text: str, block: str, first: str = BEGIN, last: str = END) -> str:
    """A text with another block between the marks."""
    begin = text.index(first) + len(first)
    end = text.index(last, begin)
    return f"{text[:begin]}\n\n{block}\n\n{text[end:]}"


def figures(row) -> str:
    """The figures of a row of a paper, short."""
    found = []
    for metric, value, *deviation in row.figures:
        spread = f" ± {deviation[0]}" if deviation else ""
        unit = " M" if metric == "parameters" else ""
        label = METRICS.get(metric, f"{metric.replace('_', ' ')} ")
        found.append(f"{label}{value}{spread}{unit}")
    return ", ".join(found) or "a curve"


def recipes_page() -> str:
    """The page of all recipes."""
    from keras_mixvit.recipes._names import ALIASES
    from keras_mixvit.recipes._papers import paper_rows, stored_recipes

    recipes, rows = stored_recipes(), paper_rows()
    short = {name: alias for alias, name in ALIASES.items()}
    published: dict[str, list] = {}
    for row in rows:
        published.setdefault(row.recipe, []).append(row)
    groups: dict[str, list[str]] = {}
    for name, values in recipes.items():
        data = values["data"]["name"]
        groups.setdefault(f"{SETS.get(data, data)}", []).append(name)
    lines = [
        "# All recipes",
        "",
        "<!-- Made by tools/make_tables.py from keras_mixvit/recipes/papers/. -->",
        "",
        f"There are {len(recipes)} recipes. `keras-mixvit train NAME` trains one, "
        "`keras-mixvit show NAME` prints it. A name in brackets is a short name. "
        "**The figures are the papers'**, not ones that this library measured: top-1 "
        "accuracy in per cent where no other name stands before it. "
        "[Reproducing the papers](papers.md) explains how to read and use them.",
        "",
    ]
    for data, names in sorted(groups.items(), key=lambda item: item[0] != "Digits"):
        lines += [
            f"## {data}",
            "",
            "| recipe | epochs | batch | published |",
            "|---|---:|---:|---|",
        ]
        for name in names:
            values = recipes[name]
            alias = f" ({short[name]})" if name in short else ""
            # Every figure once, with the tables that have it.
            tables: dict[str, list[str]] = {}
            for row in published.get(name, ()):
                tables.setdefault(figures(row), []).append(f"{row.paper} {row.table}")
            said = "; ".join(
                f"{', '.join(dict.fromkeys(where))}: {what}"
                for what, where in tables.items()
            )
            lines.append(
                f"| `{name}`{alias} | {values['epochs']} | {values['batch_size']} | "
                f"{said} |"
            )
        lines.append("")
    quoted = published[None]
    lines += [
        "## Quoted rows",
        "",
        "The papers quote these rows from others. They have no recipe.",
        "",
        "| paper | row | published |",
        "|---|---|---|",
    ]
    for row in quoted:
        lines.append(f"| {row.paper} {row.table} | {row.row} | {figures(row)} |")
    return "\n".join([*lines, ""])


def pages() -> dict[Path, str]:
    """Every file that holds such a table, and what it should hold."""
    from tests.recipes.combinations import table

    readme, results = ROOT / "README.md", ROOT / "docs" / "results.md"
    choosing = ROOT / "docs" / "choosing.md"
    return {
        readme: with_block(readme.read_text(encoding="utf-8"), readme_results()),
        results: with_block(results.read_text(encoding="utf-8"), page_results()),
        choosing: with_block(
            choosing.read_text(encoding="utf-8"), table(), PAIRS, PAIRS_END
        ),
        ROOT / "docs" / "recipes.md": recipes_page(),
    }


if __name__ == "__main__":
    # Like the command, which lists recipes without a backend.
    sys.argv[0] = "keras-mixvit"
    for path, text in pages().items():
        is_new = not path.exists() or path.read_text(encoding="utf-8") != text
        path.write_text(text, encoding="utf-8")
        print(f"{path.relative_to(ROOT)}: {'written' if is_new else 'up to date'}")
