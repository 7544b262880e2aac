"""Evaluates the network of one finished cell of a study."""

from pathlib import Path
from typing import Any

import numpy as np

from keras_mixvit.evaluation._evaluation_report import finite
from keras_mixvit.evaluation._judged_corruptions import judged_corruptions
from keras_mixvit.models import load_model
from keras_mixvit.recipes._protocol import judged_split
from keras_mixvit.training._evaluate_run import evaluate_run
from keras_mixvit.training._run_data import load_sets
from keras_mixvit.training._run_settings import RunSettings
from keras_mixvit.training._skipped_files import read_skipped


def judge(folder: str, corruptions: bool) -> dict[str, Any]:
    """The scores of a finished run, also under seeded corruptions.

    It writes `evaluation.json`, as `evaluate_run` does.

    Args:
        folder: Path of the run folder.
        corruptions: Boolean, whether to evaluate under corruptions, too.

    Returns:
        Dict of `split`, `samples`, `network`, the scores of the ensemble or the
        single network, `parts`, those of its subnetworks or members, and
        `corrupted`, which holds `rows` and their `mean`, or is `None`.
    """
    found = evaluate_run(folder, verbose=0)
    rows = found.report.rows
    # A MIMO model is evaluated in every scheme, its own first.
    first = [row for row in rows if row["inference"] == rows[0]["inference"]]
    corrupted = None
    if corruptions:
        settings = RunSettings.read(Path(folder))
        sets = load_sets(settings, skipped=read_skipped(Path(folder)))
        images = sets[judged_split(sets)]
        model = load_model(Path(folder) / "model.keras")
        made = judged_corruptions(model, images, settings.recipe.data.name).rows
        scores = ("accuracy", "nll", "calibrated_nll", "ece")
        mean = {key: float(np.mean([row[key] for row in made])) for key in scores}
        corrupted = {"rows": made, "mean": mean}
    return finite(
        {
            "split": found.split,
            "samples": found.report.samples,
            "network": first[0],
            "parts": first[1:],
            "corrupted": corrupted,
        }
    )
