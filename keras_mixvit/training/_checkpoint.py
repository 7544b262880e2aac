"""Checkpoints, from which an interrupted training resumes."""

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
# The number of finished epochs, and the checksum of the file.
NAME = re.compile(r"epoch-(\d+)-([0-9a-f]{16})\.npz")


@dataclass(frozen=True)
class Checkpoint:
    """The state of a training after an epoch.

    Args:
        epochs: Integer, the number of finished epochs.
        arrays: Dict from names to arrays: all variables of the model and of
            its optimizer.
        progress: Dict for JSON, the rest of the state.
    """

    epochs: int
    arrays: dict
    progress: dict


class Checkpoints:
    """The last two checkpoints of a training, in their own folder.

    Each checkpoint is one file, which is first written under a temporary name. Its name
    holds its checksum, so incomplete and damaged checkpoints are skipped.

    Args:
        folder: Path of the folder, made with the first checkpoint.
    """

    def __init__(self, folder):
        self.folder = Path(folder)

    def save(self, checkpoint: Checkpoint) -> None:
        """Writes a checkpoint, then deletes the oldest one."""
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
        """The last intact checkpoint, and sentences about damaged ones."""
        remarks = []
        for path in reversed(self._found()):
            found = _read(path)
            if found is not None:
                return found, remarks
            remarks.append(
                f"The checkpoint {path} is damaged and is skipped for the previous "
                "one; without one, the training starts again."
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
        """Files that a killed process may have left."""
        return [self.folder / f"{start}epoch.npz" for start in ("", "partial-")]


def _read(path) -> Checkpoint | None:
    """The checkpoint in a file, or `None` if it is damaged."""
    name = NAME.fullmatch(path.name)
    if name is None:
        return None
    epochs, checksum = name.groups()
    if _checksum(path) != checksum:
        return None
    # The checksum is right, but another program may have written the file.
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
    """The variables of a built model and its optimizer, in order.

    Seeds are left out, because every epoch sets them (`EpochSeeds`).
    """
    seeds = {id(state) for state in seed_states(model)}
    kept = [variable for variable in model.variables if id(variable) not in seeds]
    return [*kept, *model.optimizer.variables]


def arrays_of(model: keras.Model) -> dict:
    """The values of these variables, by their positions."""
    return {
        f"v{place}": keras.ops.convert_to_numpy(variable)
        for place, variable in enumerate(variables_of(model))
    }


def restore(model: keras.Model, arrays: dict) -> None:
    """Sets a compiled model and its optimizer to the values of a checkpoint.

    Args:
        model: Model of the recipe.
        arrays: Dict that `arrays_of` returned.

    Raises:
        ValueError: If the values belong to another model.
    """
    variables = variables_of(model)
    expected = [tuple(variable.shape) for variable in variables]
    found = [arrays.get(f"v{place}", ...) for place in range(len(arrays))]
    shapes = [getattr(array, "shape", None) for array in found]
    if expected != shapes:
        require(
            False,
            "`recipe.toml` must be the one with which the run began: its checkpoints "
            "belong to another model.",
            expected=_first_other(expected, shapes),
            found=_first_other(shapes, expected),
        )
    for variable, array in zip(variables, found, strict=True):
        variable.assign(array)


def _first_other(shapes, others):
    """The first shape that differs, and its place among all."""
    longest = range(max(len(shapes), len(others)))
    place = next(i for i in longest if shapes[i : i + 1] != others[i : i + 1])
    found = shapes[place] if place < len(shapes) else None
    return f"shape {found} of variable {place + 1} of {len(shapes)}"


def _checksum(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()[:16]
