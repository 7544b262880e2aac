"""The page of a report and its figures."""

import io
from pathlib import Path
from typing import Any

import numpy as np

from keras_mixvit.data.sets._load import data_label
from keras_mixvit.metrics._softmax import softmax
from keras_mixvit.report._album import Album
from keras_mixvit.report._charts import (
    coverage_chart,
    curves_chart,
    ood_chart,
    reliability_chart,
)
from keras_mixvit.report._facts import costs_of, facts_of, lines_of
from keras_mixvit.report._judged_runs import JudgedRun, JudgedRuns
from keras_mixvit.report._options import KIND, Options
from keras_mixvit.report._paired import paired_table
from keras_mixvit.report._pictures import file_uri, side_for
from keras_mixvit.report._scores import in_short, scores_table, sureness
from keras_mixvit.report._svg import plain_text
from keras_mixvit.report._tables import Table, count, matrix, number, percent
from keras_mixvit.training._run_facts import versions
from keras_mixvit.training._run_figures import MIXED, mixed_figure
from keras_mixvit.training._run_images import RunImages

FOLDER = Path(__file__).parent
# A larger matrix is not legible; its most frequent confusions are listed.
MOST_CLASSES = 25
# Methods with one input, and so without masks.
UNMIXED = ("single", "manifold_mixup")
# Bytes of the pictures of mixed samples, of all runs together.
MIXED_BYTES = 400_000


def page_of(found: JudgedRuns, options: Options) -> tuple[str, dict[str, Any]]:
    """The page as HTML, and its figures for JSON.

    Args:
        found: `JudgedRuns`.
        options: `Options`.
    """
    albums = [Album(run, found.images, options.examples) for run in found.runs]
    side = side_for(sum(album.num_pictures for album in albums))
    whole = {
        found.name(run, network.name): network.judged.first.averaged
        for run in found.runs
        for network in run.networks
    }
    labels = found.images.labels
    histories = {
        found.name(run, name): path
        for run in found.runs
        for name, path in run.histories.items()
    }
    curves = curves_chart("curves", histories) if histories else None
    reliability = reliability_chart("reliability", whole, labels)
    coverage = coverage_chart("coverage", whole, labels)
    scores, columns = scores_table(found)
    paired, paired_numbers = paired_table(found)
    costs, cost_numbers = costs_of(found)
    facts = [facts_of(run) for run in found.runs]
    most = MIXED_BYTES // len(found.runs)
    views = [
        _view(place, run, album, about, side, most)
        for place, (run, album, about) in enumerate(
            zip(found.runs, albums, facts, strict=True)
        )
    ]
    ood = _ood(found)
    context = {
        "title": ", ".join(run.label for run in found.runs),
        "data": data_label(found.data),
        "split": {"val": "validation", "train": "training"}.get(
            found.split, found.split
        ),
        "images": count(len(labels)),
        "classes": found.images.num_classes,
        "in_short": in_short(found, paired_numbers),
        "sureness": sureness(found),
        "runs": views,
        "has_parts": any(len(run.own.judged.first.parts) > 1 for run in found.runs),
        "has_subnetworks": any(view["is_mixed"] for view in views),
        "has_members": any(run.settings.recipe.num_members > 1 for run in found.runs),
        "curves": curves,
        "scores": scores,
        "columns": columns,
        "paired": paired,
        "costs": costs,
        "reliability": reliability,
        "coverage": coverage,
        "coverage_table": _coverage_table(found),
        "ood": ood,
        "figures": options.figures.name,
        "version": versions()["keras_mixvit"],
    }
    numbers = {
        "kind": KIND,
        "keras_mixvit": versions()["keras_mixvit"],
        "data": found.data,
        "split": found.split,
        "samples": len(labels),
        "classes": list(map(str, found.images.class_names)),
        "runs": [
            {
                **about,
                "scores": [
                    {"network": network.name, **row}
                    for network in run.networks
                    for row in network.judged.report.rows
                ],
                "costs": [x for x in cost_numbers if x["run"] == run.label],
                "confusion": album.counts.tolist(),
                "confusions": album.confusions,
                "examples": album.numbers(),
            }
            for run, album, about in zip(found.runs, albums, facts, strict=True)
        ],
        "compared": paired_numbers,
        "curves": curves and curves.numbers,
        "reliability": reliability.numbers,
        "risk_coverage": coverage.numbers,
    }
    if ood:
        numbers["ood"] = {
            "histograms": {view["name"]: view["chart"].numbers for view in ood["each"]},
            "rows": ood["rows"],
        }
    return _rendered(context), numbers


def _rendered(context):
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    css = (FOLDER / "page.css").read_text(encoding="utf-8")
    return environment.get_template("page.html").render(css=css, **context)


def _view(place: int, run: JudgedRun, album: Album, facts, side, most):
    """A run on the page."""
    names = [str(name) for name in album.images.class_names]
    headings = ["class", "taken for", "images", "share of its class"]
    pairs = Table("Most frequent confusions", headings, [], words=2)
    for pair in album.confusions:
        pairs.rows.append(
            [
                *(album.class_name(pair[key]) for key in ("true", "predicted")),
                count(pair["samples"]),
                percent(pair["share"]),
            ]
        )
    has_matrix = len(names) <= MOST_CLASSES
    return {
        "key": f"run-{place}",
        "label": run.label,
        "lines": lines_of(facts, run),
        "facts": facts,
        "mixed": _mixed(run, most),
        "is_mixed": run.settings.recipe.method.name not in UNMIXED,
        "matrix": matrix(album.counts, names) if has_matrix else None,
        "confusions": pairs,
        "pairs": album.pair_cards(side),
        "galleries": {name: album.cards(name, side) for name in album.chosen},
        "has_attention": album.has_attention,
    }


def _mixed(run, most) -> str | None:
    """The picture of mixed samples, or `None` where there are none."""
    path = run.folder / MIXED
    if path.is_file():
        try:
            return file_uri(path, most)
        except OSError:
            # Damaged: it is drawn anew.
            pass
    try:
        images = RunImages(run.folder / "model.keras").load("train")
        with plain_text():
            figure = mixed_figure(run.settings.recipe, images, run.folder)
    except (ValueError, OSError, ModuleNotFoundError):
        # The images of the training need not be there any more.
        return None
    if figure is None:
        return None
    stream = io.BytesIO()
    with plain_text():
        figure.savefig(stream, format="png")
    stream.seek(0)
    return file_uri(stream, most)


def _coverage_table(found):
    table = Table(
        "Errors where a network may refuse to answer",
        [
            *("network", "AURC", "errors on the surest 80 %"),
            *("answered at 5 % errors", "least confidence to answer"),
        ],
        [],
    )
    for run in found.runs:
        for network in run.networks:
            row = network.judged.report.rows[0]
            table.rows.append(
                [
                    found.name(run, network.name),
                    percent(row["aurc"], 2),
                    percent(row["risk_at_80"]),
                    percent(row["coverage_at_5"]),
                    _least(network.judged.first.averaged, row["coverage_at_5"]),
                ]
            )
    return table


def _least(logits, coverage):
    """The lowest confidence among the surest images, or a dash if there are none."""
    answered = round(coverage * len(logits))
    if not answered:
        return "–"
    confidence = softmax(logits).max(axis=1)
    return percent(np.sort(confidence)[-answered])


def _ood(found: JudgedRuns) -> dict[str, Any] | None:
    """How well scores separate images of other sets from those of the data set."""
    if not found.ood:
        return None
    table = Table(
        "How well each score tells other images from known ones",
        ["network", "other images", "score", "AUROC", "FPR95"],
        [],
        words=3,
    )
    rows, each = [], []
    for place, run in enumerate(found.runs):
        for network in run.networks:
            name = found.name(run, network.name)
            for row in network.judged.report.ood:
                if row["part"] != network.judged.first.part:
                    continue
                rows.append({"network": name, **row})
                words = [name, row["set"], row["score"].replace("_", " ")]
                numbers = [number(row["auroc"]), percent(row["fpr95"])]
                table.rows.append([*words, *numbers])
        own = run.own.judged
        chart = ood_chart(f"ood-{place}", own.scores, own.ood)
        each.append({"name": found.name(run, run.own.name), "chart": chart})
    return {"table": table, "each": each, "rows": rows}
