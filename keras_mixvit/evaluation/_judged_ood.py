"""How well a model tells images out of its distribution from its own."""

from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.evaluation._predicted import Group, images_of, predicted
from keras_mixvit.metrics._ood_detection import NAMES, Detection
from keras_mixvit.metrics._ood_scores import scores_of_logits
from keras_mixvit.metrics._resamples import Resamples
from keras_mixvit.models import MIMOModel


def require_ood(model: MIMOModel, ood, batch_size: int) -> dict[str, Any]:
    """Images by name, if they are a dict of what fits the model.

    Args:
        model: The model.
        ood: Dict from names to images, or `None`.
        batch_size: Positive integer.
    """
    require(
        ood is None
        or (isinstance(ood, Mapping) and all(isinstance(name, str) for name in ood)),
        "`ood` must be a dict from names to images.",
        ood=type(ood).__name__,
    )
    return {
        name: images_of(model, images, batch_size, "ood")
        for name, images in (ood or {}).items()
    }


def group_scores(group: Group) -> dict[str, np.ndarray]:
    """The scores `(n,)` of a prediction, and of the subnetworks it averages."""
    is_mean = group.logits.shape[1] > 1 and group.ensemble_of == "logits"
    logits = group.logits if group.logits.shape[1] > 1 else group.logits[:, 0]
    found = scores_of_logits(logits, None if is_mean else group.averaged)
    if not group.has_energy:
        del found["energy"]
    return found


def ood_rows(
    graph: keras.Model,
    groups: list[Group],
    known: list[dict[str, np.ndarray]],
    ood: dict[str, Any],
    batch_size: int,
    verbose: str | int,
    resamples: Resamples | None,
    scores: dict[str, dict[str, np.ndarray]],
) -> Iterable[dict[str, Any]]:
    """A row for each set, prediction and score.

    Args:
        graph: Of all predictions.
        groups: List of `Group`, what is averaged.
        known: The scores of the images of the distribution, of each group.
        ood: Dict from names to images.
        batch_size: Positive integer, images per step.
        verbose: As in `keras.Model.predict`.
        resamples: Those of the images of the distribution, or `None`.
        scores: Dict that gets the scores of the first prediction, by set.
    """
    for i, (name, images) in enumerate(ood.items()):
        own = None
        found = predicted(graph, groups, images, batch_size, verbose)
        for group, before in zip(found, known, strict=True):
            if resamples is not None and own is None:
                count, seed = len(resamples.counts), [resamples.seed, 1 + i]
                own = Resamples(len(group.averaged), count, seed)
            values = group_scores(group)
            scores.setdefault(name, values)
            yield from detection_rows(name, group, before, values, resamples, own)


def detection_rows(
    name: str,
    group: Group,
    known: dict[str, np.ndarray],
    found: dict[str, np.ndarray],
    resamples: Resamples | None,
    own: Resamples | None,
) -> list[dict[str, Any]]:
    """A row for each score of one prediction of one set.

    Args:
        name: String, the set.
        group: `Group` of its images.
        known: The scores of the images of the distribution.
        found: The scores of the images of the set.
        resamples: Those of the images of the distribution, or `None`.
        own: Those of the images of the set, or `None`.
    """
    rows = []
    samples = len(group.averaged)
    for score, values in found.items():
        judge = Detection(known[score], values)
        once = np.ones((1, len(known[score]))), np.ones((1, samples))
        row: dict[str, Any] = {
            "inference": group.inference,
            "part": group.part,
            "set": name,
            "samples": samples,
            "score": score,
            **dict(zip(NAMES, judge(*once)[0].tolist(), strict=True)),
        }
        if own is not None and resamples is not None:
            interval = resamples.interval(resamples.values(judge, own)).T
            row["intervals"] = dict(zip(NAMES, interval.tolist(), strict=True))
        rows.append(row)
    return rows
