"""Checkpoints of a training, from which it resumes."""

import hashlib
import json
import re
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.training._atomic_files import replacing
from keras_mixvit.training._epoch_seeds import seed_states
from keras_mixvit.training._run_files import is_number

KEPT = 2
# The number of epochs that are finished, and the checksum of the file.
NAME = re.compile(r"epoch-(\d+)-([0-9a-f]{16})\.npz")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after an epoch.

    Args:
        epochs: Integer, how many epochs are finished.
        arrays: Dict from names to arrays: all variables of the model and of
            its optimizer.
        progress: Dict for JSON: what else is to be carried over.
    """

    epochs: int
    arrays: dict
    progress: dict


class Checkpoints:
    """The last two checkpoints of a training, in a folder of their own.

    Each is one file, written beside its place and renamed, with its checksum
    in its name, so that one that is half-written or damaged is not used.

    Args:
        folder: Path of the folder, made when it is written to.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint; only then the oldest one goes."""
        self.folder.mkdir(exist_ok=True)
        progress = np.frombuffer(json.dumps(checkpoint.progress).encode(), np.uint8)
        unnamed = self.folder / "epoch.npz"
        with replacing(unnamed) as partial, partial.open("wb") as file:
            np.savez(file, progress=progress, **checkpoint.arrays)
        path = f"epoch-{checkpoint.epochs:05d}-{_checksum(unnamed)}.npz"
        unnamed.replace(self.folder / path)
        for old in self._found()[:-KEPT]:
            old.unlink()

    def latest(self) -> tuple[Checkpoint | None, list[str]]:
        """The last checkpoint that is whole, and sentences about others."""
        remarks = []
        for path in reversed(self._found()):
            found = _read(path)
            if found is not None:
                return found, remarks
            remarks.append(
                f"The checkpoint {path} is damaged and is left out; the one before it "
                "is used, or the training begins anew."
            )
        return None, remarks

    def remove(self) -> None:
        """Removes all checkpoints, and their folder if it holds nothing else."""
        for path in [*self._found(), *self._unfinished()]:
            path.unlink(missing_ok=True)
        if self.folder.is_dir() and not any(self.folder.iterdir()):
            self.folder.rmdir()

    def _found(self):
        if not self.folder.is_dir():
            return []
        return sorted(
            path
            for path in self.folder.iterdir()
            if NAME.fullmatch(path.name) and path.is_file()
        )

    def _unfinished(self):
        """What a process that was killed may have left."""
        return [self.folder / f"{start}epoch.npz" for start in ("", "partial-")]


def _read(path) -> Checkpoint | None:
    """The checkpoint in a file, or `None` if it is damaged."""
    name = NAME.fullmatch(path.name)
    if name is None:
        return None
    epochs, checksum = name.groups()
    if _checksum(path) != checksum:
        return None
    # Its sum is right, but somebody else may have written it.
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        progress = json.loads(arrays.pop("progress").tobytes())
    except Exception:
        return None
    is_progress = (
        isinstance(progress, dict)
        and isinstance(progress.get("history", []), list)
        and isinstance(progress.get("best"), (dict, NoneType))
        and is_number(progress.get("seconds", 0.0))
    )
    return Checkpoint(int(epochs), arrays, progress) if is_progress else None


def variables_of(model: keras.Model) -> list:
    """The variables of a model and its optimizer, built, in their order.

    Seeds are left out, which every epoch sets anew (`EpochSeeds`).
    """
    seeds = {id(state) for state in seed_states(model)}
    kept = [variable for variable in model.variables if id(variable) not in seeds]
    return [*kept, *model.optimizer.variables]


def arrays_of(model: keras.Model) -> dict:
    """The values of these variables, by their places."""
    return {
        f"v{place}": keras.ops.convert_to_numpy(variable)
        for place, variable in enumerate(variables_of(model))
    }


def restore(model: keras.Model, arrays: dict) -> None:
    """Gives a compiled model and its optimizer the values of a checkpoint.

    Args:
        model: What the recipe makes.
        arrays: What `arrays_of` gave.

    Raises:
        ValueError: If the values are those of another model.
    """
    variables = variables_of(model)
    expected = [tuple(variable.shape) for variable in variables]
    found = [arrays.get(f"v{place}", ...) for place in range(len(arrays))]
    require(
        expected == [getattr(array, "shape", None) for array in found],
        "`recipe.toml` must be that with which the run began: its checkpoints are of "
        "another model.",
        expected=len(expected),
        found=len(found),
    )
    for variable, array in zip(variables, found, strict=True):
        variable.assign(array)


def _checksum(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
