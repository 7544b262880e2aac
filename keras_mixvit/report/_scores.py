"""The table of scores, and what its columns mean."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from keras_mixvit.metrics._softmax import softmax
from keras_mixvit.report._judged_runs import JudgedNetwork, JudgedRun, JudgedRuns
from keras_mixvit.report._tables import NBSP, PERCENT, Table, number, percent
from keras_mixvit.training._run_rows import conclusion
from keras_mixvit.training._study_table import p_text


class Column(NamedTuple):
    """A column of the table of scores.

    Fields:
        heading: String.
        is_share: Whether it is shown in percent.
        about: String, a sentence or two.
    """

    heading: str
    is_share: bool
    about: str


COLUMNS = {
    "accuracy": Column(
        "accuracy", True, "The share of images whose class the network predicts right."
    ),
    "top5": Column(
        "top 5",
        True,
        "The share of images whose class is among the five with the highest "
        "probabilities.",
    ),
    "nll": Column(
        "NLL",
        False,
        "Negative log-likelihood: the mean of -log(probability of the right class). It "
        "is high where right classes have a low probability. Lower is better.",
    ),
    "calibrated_nll": Column(
        "NLL_c",
        False,
        "Calibrated NLL: the NLL after a temperature has corrected the confidence. "
        "Each half of the images gets the temperature that suits the other half. "
        "Compare networks by this number: none should lose because of a confidence "
        "that one number can correct.",
    ),
    "temperature": Column(
        "T",
        False,
        "Temperature: the number by which you divide the outputs, before they become "
        "probabilities, to correct the confidence. Above 1, the network is too sure; "
        "below 1, not sure enough.",
    ),
    "ece": Column(
        "ECE",
        True,
        "Expected calibration error: the mean gap between the confidence and the "
        "accuracy of predictions with about the same confidence, without a "
        "temperature. 0 is best.",
    ),
    "brier": Column(
        "Brier",
        False,
        "Brier score: the squared distance of the probabilities from the right answer "
        "(1 for the right class, 0 for others), summed over the classes. Lower is "
        "better.",
    ),
    "auroc": Column(
        "AUROC",
        False,
        "Area under the ROC curve: the chance that a right prediction has a higher "
        "confidence than a wrong one. A coin gives 0.5, and 1 is best.",
    ),
    "ratio_error": Column(
        "d_re",
        False,
        "Ratio error of two subnetworks: the number of images that only one gets "
        "wrong, divided by the number that both get wrong. Higher means that they "
        "make more different mistakes. Subnetworks that never differ do not help each "
        "other.",
    ),
    "disagreement": Column(
        "disagree",
        True,
        "The share of images for which two subnetworks predict different classes.",
    ),
}
# With so few classes, almost every class is among five.
FEW_CLASSES = 20
# A difference is hardly chance below this p. Confidence and accuracy agree within this
# gap.
LIMIT, NEAR = 0.05, 0.02
WITH_INTERVALS = ("accuracy", "calibrated_nll")


def rows_of(found: JudgedRuns) -> Iterator[tuple[JudgedRun, JudgedNetwork, dict]]:
    """All rows of all reports, with their runs and networks."""
    for run in found.runs:
        for network in run.networks:
            for row in network.judged.report.rows:
                yield run, network, row


def scores_table(found: JudgedRuns) -> tuple[Table, list[Column]]:
    """The table of all networks and their parts, and its columns.

    Args:
        found: `JudgedRuns`.
    """
    rows = list(rows_of(found))
    columns = [
        name
        for name in COLUMNS
        if any(row.get(name) is not None for _, _, row in rows)
        and (name != "top5" or found.images.num_classes >= FEW_CLASSES)
    ]
    has_intervals = any("intervals" in row for _, _, row in rows)
    table = Table(
        f"Scores on the {len(found.images.labels):,} images",
        ["network", *(COLUMNS[name].heading for name in columns)],
        [],
        note="In brackets: the 95 % interval. Other images of the same kind would "
        "mostly give a score in it; another seed may change more. If two intervals "
        "overlap much, the networks may be equally good."
        if has_intervals
        else "",
    )
    for run, network, row in rows:
        name = found.name(run, network.name)
        if row["part"] != "network":
            name = f"{name}, {row['part']}"
        cells = [_cell(row, column, has_intervals) for column in columns]
        table.rows.append([name, *cells])
    return table, [COLUMNS[name] for name in columns]


def in_short(found: JudgedRuns, paired: Sequence[dict[str, Any]] = ()) -> list[str]:
    """A few sentences about what the table shows, and what it does not.

    Args:
        found: `JudgedRuns`.
        paired: Sequence of the dicts that `paired_table` returned. Defaults to `()`.
    """
    sentences, cautions = [], []
    for run in found.runs:
        row = run.own.judged.report.rows[0]
        name = found.name(run, run.own.name)
        wrong = round((1 - row["accuracy"]) * len(found.images.labels))
        parts = run.own.judged.first.parts
        about = name
        if len(parts) > 1:
            # "subnetwork 0", "member 0"
            kind = str(parts[0]).split()[0]
            about = f"{name}, an ensemble of {len(parts)} {kind}s,"
        sentences.append(
            f"{about} predicts the right class of {percent(row['accuracy'])} of the "
            f"{len(found.images.labels):,} images, and a wrong class of {wrong:,}."
        )
        if run is found.runs[0]:
            counts = Counter(map(int, found.images.labels)).values()
            share = percent(max(counts) / len(found.images.labels))
            is_even = len(set(counts)) == 1
            sentences.append(
                f"Guessing would be right on {share}."
                if is_even
                else "A network that always names the most frequent class would be "
                f"right on {share}."
            )
        rows: list[dict[str, Any]] = [
            {
                "model": found.name(run, network.name)
                if network is run.own
                else network.name,
                "parameters": network.parameters,
                **network.judged.report.rows[0],
            }
            for network in run.networks
        ]
        compared = conclusion(rows, lambda: len(found.images.labels))
        sentences += compared[:1]
        chance = [each for each in paired if each["network"] == name]
        if compared and chance and chance[0]["reference"] == rows[-2]["model"]:
            sentences.append(_chance(chance[0]["p"]))
        cautions += compared[1:]
    if len(found.runs) > 1:
        seeds = sorted({run.settings.recipe.seed for run in found.runs})
        cautions = [
            f"All of these trainings have the seed {seeds[0]}: other seeds may change "
            "more than the differences here."
            if len(seeds) == 1
            else "Each of these trainings has one seed: other seeds may change more "
            "than the differences here."
        ]
    return sentences + cautions


def _chance(p):
    words = "is hardly chance" if p < LIMIT else "may be chance"
    return f"Image by image, this difference {words} ({p_text(p)})."


def sureness(found: JudgedRuns) -> list[str]:
    """A sentence on each network: whether it is as sure as it is right.

    Args:
        found: `JudgedRuns`.
    """
    sentences = []
    for run in found.runs:
        for network in run.networks:
            logits = network.judged.first.averaged
            sure = float(softmax(logits).max(axis=1).mean())
            right = network.judged.report.rows[0]["accuracy"]
            words = "about as sure as it is right"
            if abs(sure - right) >= NEAR:
                words = "too sure" if sure > right else "not sure enough"
            sentences.append(
                f"{found.name(run, network.name)} is {words}: its mean confidence is "
                f"{percent(sure)}, and it is right on {percent(right)}."
            )
    return sentences


def _cell(row, column, has_intervals):
    shown = percent if COLUMNS[column].is_share else number
    text = shown(row.get(column))
    low_high = row.get("intervals", {}).get(column)
    if column in WITH_INTERVALS and has_intervals and low_high:
        low, high = (shown(value).removesuffix(PERCENT) for value in low_high)
        # In a narrow window, the line breaks before the interval only.
        text = f"{text} ({low}{NBSP}to{NBSP}{high})"
    return text
