"""What predictions of a run's validation images say about those of other images."""

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from keras_mixvit._checks import is_integer
from keras_mixvit.metrics import ConformalSets, fit_temperature
from keras_mixvit.metrics._conformal_scores import Conformity, true_scores
from keras_mixvit.metrics._conformal_sets import threshold_of
from keras_mixvit.metrics._ood_scores import scores_of_logits
from keras_mixvit.models import Ensemble, MIMOModel
from keras_mixvit.training._atomic_files import write_json
from keras_mixvit.training._run_files import is_number, read_json, require_entry

# In the folder of the model.
NAME = "prediction.json"
# The share of validation images whose score is at most the limit.
USUAL = 0.95


@dataclass(frozen=True)
class HeldOut:
    """What predictions of held-out images say about those of other images.

    All of it is about plain logits, as if the temperature was 1. So it stays valid if
    you fit a temperature later.

    Args:
        classes: Tuple of K strings, the names of the classes.
        samples: Integer, the number n of held-out images.
        limit: Float, the 95 %-quantile of their scores, see `unlikeness`.
        misses: Tuple of n floats in ascending order, 1 - the probability of the
            true class; or `None` where the images chose the model, about which
            they promise nothing.
        temperature: Float, the temperature that gives the images the least NLL, or
            `None` if there is no such, as where all predictions are right.
            Defaults to `None`.
    """

    classes: tuple[str, ...]
    samples: int
    limit: float
    misses: tuple[float, ...] | None
    temperature: float | None = None

    @classmethod
    def fit(
        cls,
        logits: np.ndarray,
        labels: np.ndarray,
        classes: Sequence[str],
        ensemble_of: str = "logits",
        chose_the_model: bool = False,
    ) -> Self:
        """Looks at the predictions of held-out images.

        Args:
            logits: Array `(n, K)`, plain logits of the ensemble.
            labels: Integer array `(n,)`.
            classes: Sequence of K strings, the names of the classes.
            ensemble_of: `"logits"` or `"probabilities"`, what is averaged.
                Defaults to `"logits"`.
            chose_the_model: Boolean, whether the images chose the model. Defaults
                to `False`.
        """
        misses = None
        if not chose_the_model:
            draws = np.ones(len(labels))
            (found,) = true_scores(logits, labels, [Conformity("lac", 0, 1)], [draws])
            misses = tuple(np.sort(found).tolist())
        limit = float(np.quantile(unlikeness(logits, ensemble_of), USUAL))
        temperature = fit_temperature(logits, labels)
        known = temperature if 0 < temperature < math.inf else None
        return cls(tuple(classes), len(labels), limit, misses, known)

    def sets(self, miss: float) -> ConformalSets | None:
        """The sets of method `"lac"` that miss the true class so often.

        Args:
            miss: Float in (0, 1).

        Returns:
            `ConformalSets`, or `None` where the images chose the model.
        """
        if self.misses is None:
            return None
        coverage = 1 - miss
        threshold = threshold_of(np.array(self.misses), coverage)
        classes = len(self.classes)
        return ConformalSets("lac", coverage, threshold, classes, self.samples)


def unlikeness(logits: np.ndarray, ensemble_of: str = "logits") -> np.ndarray:
    """A score `(n,)` that is high where an image is unlike the training images.

    The energy of `ood_scores`; where probabilities are averaged, which have no
    energy, the entropy.

    Args:
        logits: Array `(n, K)`, plain logits of the ensemble.
        ensemble_of: `"logits"` or `"probabilities"`, what is averaged. Defaults to
            `"logits"`.
    """
    name = "energy" if ensemble_of == "logits" else "entropy"
    return scores_of_logits(logits, None)[name]


def network_of(models: Sequence[MIMOModel]) -> str:
    """A hash of weights, different for each network and ensemble.

    Args:
        models: Sequence of models, in any order. Their temperatures do not matter.
    """
    parts = sorted(map(_hash, models))
    return parts[0] if len(parts) == 1 else _joined(parts)


def read_held_out(folder: Path, network: str) -> HeldOut | None:
    """What was stored about a network, or `None`.

    Args:
        folder: Path of the folder of the model.
        network: String, of `network_of`.

    Raises:
        ValueError: If the file is damaged.
    """
    found = _read(folder).get(network)
    if found is None:
        return None
    try:
        classes, misses = tuple(found["classes"]), found["misses"]
        misses = misses if misses is None else tuple(misses)
        # An earlier version did not store the temperature.
        temperature = found.get("temperature")
        held = HeldOut(classes, found["samples"], found["limit"], misses, temperature)
        intact = is_sound(held)
    except (KeyError, TypeError):
        intact = False
    require_entry(
        folder / NAME,
        intact,
        "`classes`, `samples`, `limit`, `misses` and `temperature` of each network; "
        "remove the file to have it made again",
        network,
    )
    return held


def write_held_out(folder: Path, network: str, held: HeldOut) -> None:
    """Stores what is known about a network, beside what is known about others.

    Args:
        folder: Path of the folder of the model.
        network: String, of `network_of`.
        held: `HeldOut`.
    """
    try:
        known = _read(folder)
    except ValueError:
        known = {}
    write_json(folder / NAME, {"networks": {**known, network: asdict(held)}})


def is_sound(held: HeldOut) -> bool:
    """Whether the values of a file are of the right kinds."""
    misses = held.misses
    return (
        all(isinstance(name, str) for name in held.classes)
        and len(held.classes) > 0
        and is_integer(held.samples)
        and held.samples > 0
        and is_number(held.limit)
        and math.isfinite(held.limit)
        and (
            held.temperature is None
            or (is_number(held.temperature) and 0 < held.temperature < math.inf)
        )
        and (
            misses is None
            or (
                len(misses) == held.samples
                and all(is_number(miss) and 0 <= miss <= 1 for miss in misses)
                and list(misses) == sorted(misses)
            )
        )
    )


def _read(folder) -> dict[str, Any]:
    path = folder / NAME
    if not path.is_file():
        return {}
    found = read_json(path).get("networks")
    require_entry(path, isinstance(found, dict), "a dict of `networks`", found)
    return found or {}


def _hash(model) -> str:
    if isinstance(model, Ensemble):
        parts = [*map(_hash, model.models), model.ensemble_of]
        return _joined(parts)
    kind = [model.ensemble_of, *map(str, model.inference_schemes[:1])]
    found = hashlib.sha256(json.dumps(kind).encode())
    for weight in model.get_weights():
        found.update(np.ascontiguousarray(weight).tobytes())
    return found.hexdigest()


def _joined(parts) -> str:
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
