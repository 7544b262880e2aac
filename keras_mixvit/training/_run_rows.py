"""The rows of the table of a run, and a conclusion from them."""

import math
from collections.abc import Callable, Sequence
from typing import Any

from keras_mixvit.data import ImageSet
from keras_mixvit.evaluation import evaluate
from keras_mixvit.evaluation._evaluation_report import finite
from keras_mixvit.models import MIMOModel

# The names of the baselines, by the folders of their files.
BASELINES = {"single": "single_network", "single-cutmix": "single_network + CutMix"}
SCORES = ("accuracy", "nll", "calibrated_nll", "ece")

# With fewer images, a few of them decide a calibrated NLL.
ENOUGH = 200


def name_of(place: str, model: MIMOModel) -> str:
    """The name of a network in the table of a run.

    Args:
        place: String, the folder of its files.
        model: The network.
    """
    return BASELINES.get(place, str(model.name))


def rows_of(
    model: MIMOModel, images: ImageSet, seconds: float, name: str | None = None
) -> list[dict[str, Any]]:
    """Table rows of a model: its ensemble and each of its subnetworks.

    Args:
        model: The trained model.
        images: `ImageSet` that evaluates it.
        seconds: Float, the time of its training in seconds.
        name: String, its name in the table, or `None` for its own. Defaults to
            `None`.

    Returns:
        List of dicts of `model`, `parameters`, `accuracy`, `nll`,
        `calibrated_nll`, `ece` and `seconds`.
    """
    rows: list[dict[str, Any]] = []
    for row in evaluate(model, images, all_schemes=False, verbose=0).rows:
        part = f" {row['part']}" if model.num_subnetworks > 1 else ""
        is_first = not rows
        rows.append(
            {
                "model": f"{model.name if name is None else name}{part}",
                "parameters": model.count_params() if is_first else None,
                **{score: finite(row[score]) for score in SCORES[2:]},
                **{score: row[score] for score in SCORES[:2]},
                "seconds": round(seconds, 1) if is_first else None,
            }
        )
    return rows


def conclusion(
    rows: Sequence[dict[str, Any]], judged_images: Callable[[], int]
) -> list[str]:
    """Two sentences about what the table of a run shows, and what it does not.

    Args:
        rows: Rows of all networks of the run.
        judged_images: Function that returns the number of images that evaluated them.

    Returns:
        List of strings; empty without a single network to compare with.
    """
    whole = [row for row in rows if row["parameters"] is not None]
    baselines = [row for row in whole if row["model"] in BASELINES.values()]
    if not baselines or whole[-1] is baselines[-1]:
        return []
    # CutMix comes last: this baseline is regularised like the method.
    own, baseline, samples = whole[-1], baselines[-1], judged_images()
    amount, than = _more_right(own, baseline, samples)
    sentence = (
        f"{own['model']} is right on {amount} of {samples:,} images "
        f"{than} {baseline['model']}"
    )
    score, heading = "calibrated_nll", "NLL_c"
    if own.get(score) is None or baseline.get(score) is None:
        score, heading = "nll", "NLL"
    change = own[score] - baseline[score]
    if math.isfinite(change) and samples >= ENOUGH:
        sentence += f", and its {heading} is {_change_in_words(change)}"
    if len(baselines) > 1:
        plain = baselines[0]["model"]
        amount, _ = _more_right(baselines[0], own, samples)
        sentence += f"; {plain}, without CutMix, is right on {amount}"
    # Two more images, right and wrong, each: no error at all would be too good.
    share = (own["accuracy"] * samples + 2) / (samples + 4)
    error = 100 * math.sqrt(share * (1 - share) / (samples + 4))
    return [
        f"{sentence}.",
        f"This is one seed, and with {samples:,} images the standard error is "
        f"{error:.1f} points of accuracy: train with other seeds (`--seed 1`), or "
        "compare several with `keras-mixvit study`.",
    ]


def _more_right(row, other, samples):
    right = round((row["accuracy"] - other["accuracy"]) * samples)
    if right:
        return f"{abs(right):,} {'more' if right > 0 else 'fewer'}", "than"
    return "as many", "as"


def _change_in_words(change):
    if abs(change) < 0.0005:
        return "the same"
    if change > 0:
        return f"{change:.3f} higher, which is worse"
    return f"{-change:.3f} lower, which is better"
