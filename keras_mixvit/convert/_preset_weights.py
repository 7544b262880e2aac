"""The weights of presets, under the paths of the variables."""

from pathlib import Path

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.convert._arrays import require_finite, require_match, require_real
from keras_mixvit.convert._positions import resized_grid
from keras_mixvit.convert._read_weights import read_weights


def save_preset_weights(model: keras.Model, path: Path) -> None:
    """Writes all weights of a model as a `.safetensors` file.

    Args:
        model: Built model.
        path: Path of the file.

    Raises:
        ValueError: If a layer has LoRA weights.
    """
    from safetensors.numpy import save

    adapted = [v.path for v in model.weights if v.name.startswith("lora_")]
    require(
        not adapted,
        "`model` must have no LoRA weights to be a preset: save it as a .keras file "
        "and load it, which merges them.",
        lora=adapted[:3],
    )
    # Its own `save_file` writes a file that nobody else may read.
    path.write_bytes(save({v.path: _stored(v) for v in model.weights}))


def load_preset_weights(
    model: keras.Model, path: Path, keeps_heads: bool, is_single: bool
) -> None:
    """Reads the weights of a preset into a model, which may differ from the preset.

    A position table is resized to the grid of the model. Heads and stems of a single
    network are copied to each subnetwork. If anything does not fit, the error lists
    all problems, and the model does not change.

    Args:
        model: Built model.
        path: Path of the `.safetensors` file.
        keeps_heads: Boolean, whether to read the heads, too.
        is_single: Boolean, whether the preset is a single network. Then the
            source attribution of the model keeps its values.

    Raises:
        ValueError: If the weights do not fit the model, or the file is damaged.
    """
    arrays = read_weights(path)
    heads = {v.path for v in model.heads.weights}
    new = set() if keeps_heads else set(heads)
    attribution = getattr(model, "attribution", None)
    if is_single and attribution is not None:
        new |= {v.path for v in attribution.weights}
    names = _stored_names(model, arrays)
    wanted = {v.path: v for v in model.weights if v.path not in new}
    if not keeps_heads:
        arrays = {name: a for name, a in arrays.items() if name not in heads}
    require_real(arrays)
    values = {}
    for own, variable in wanted.items():
        found = arrays.get(names[own])
        if found is None:
            continue
        shape = tuple(variable.shape)
        if own.endswith("position/position_embedding"):
            found = _on_grid(found, shape)
        elif own in heads and is_single and found.shape[:1] == (1,):
            found = np.repeat(found, shape[0], axis=0)
        values[own] = found
    read = {names[own] for own in values}
    require_match(
        {**{name: a for name, a in arrays.items() if name not in read}, **values},
        {own: tuple(variable.shape) for own, variable in wanted.items()},
        "`name` must be a preset whose weights fit its config and your options.",
    )
    require_finite({own: a for own, a in values.items() if a.dtype.kind not in "iu"})
    for own, variable in wanted.items():
        variable.assign(values[own])


def _stored(variable):
    value = variable.value
    if keras.backend.standardize_dtype(variable.dtype) == "bfloat16":
        # NumPy has no bfloat16.
        value = keras.ops.cast(value, "float32")
    return np.ascontiguousarray(keras.ops.convert_to_numpy(value))


def _stored_names(model, arrays):
    """The name in a file of each variable: further stems may be copies of the first."""
    names = {variable.path: variable.path for variable in model.weights}
    first, *others = getattr(model, "stems", None) or [None]
    for stem in others:
        for own, original in zip(stem.weights, first.weights, strict=True):
            if own.path not in arrays:
                names[own.path] = original.path
    return names


def _on_grid(table, shape):
    """A position table on the grid of a variable, if only the grid differs."""
    if table.ndim != 3 or table.shape[2] != shape[2] or table.shape == shape:
        return table
    return resized_grid(table, shape[:2])
