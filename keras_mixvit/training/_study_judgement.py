"""Reads and checks the results of `judge`, which may have been edited."""

import math
from pathlib import Path
from typing import Any

from keras_mixvit._checks import is_integer
from keras_mixvit.training._run_files import is_number, read_json

SCORES = ("accuracy", "nll", "calibrated_nll", "ece", "brier", "auroc")
DIVERSITY = ("disagreement", "ratio_error", "pairwise_kl")
# JSON has no NaN: values that are not finite are None.
CORRUPTED = ("accuracy", "nll", "calibrated_nll", "ece")


def read_judgement(path: Path, corruptions: bool) -> dict[str, Any] | None:
    """The results of `judge`, or `None` if the file is missing or damaged.

    Args:
        path: Path of the file.
        corruptions: Boolean, whether figures under corruptions must be there.
    """
    try:
        found = read_json(path)
    except ValueError:
        return None
    return found if is_judgement(found, corruptions) else None


def is_judgement(found: Any, corruptions: bool) -> bool:
    """Whether a value has the form of the results of `judge`.

    Args:
        found: Anything.
        corruptions: Boolean, whether figures under corruptions must be there.
    """
    if not isinstance(found, dict):
        return False
    parts, network = found.get("parts"), found.get("network")
    return (
        isinstance(found.get("split"), str)
        and is_integer(found.get("samples"))
        and _has(network, ("accuracy", "nll"), (*SCORES, *DIVERSITY))
        and isinstance(parts, list)
        and all(_has(part, ("accuracy",), ()) for part in parts)
        and _is_corrupted(found.get("corrupted"), corruptions)
    )


def _has(scores, needed, known):
    return (
        isinstance(scores, dict)
        and all(_is_finite(scores.get(name)) for name in needed)
        and all(scores.get(name) is None or _is_finite(scores[name]) for name in known)
    )


def _is_finite(value):
    return is_number(value) and math.isfinite(value)


def _is_corrupted(found, is_needed):
    if found is None:
        return not is_needed
    return (
        isinstance(found, dict)
        and _has(found.get("mean"), (), CORRUPTED)
        and isinstance(found.get("rows"), list)
        and all(
            isinstance(row, dict) and {"corruption", "severity"} <= set(row)
            for row in found["rows"]
        )
    )
