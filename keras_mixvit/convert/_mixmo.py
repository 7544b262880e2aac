import os
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.backbones import PreActResNet, WideResNet
from keras_mixvit.convert._arrays import (
    as_array,
    named_arrays,
    require_finite,
    require_match,
    require_real,
)
from keras_mixvit.convert._conversion import Conversion


def load_mixmo_weights(
    model: keras.Model, weights: Mapping | str | os.PathLike
) -> Conversion:
    """Loads a checkpoint of the published MixMo code into a model.

    The published networks are `WideResNet` and `PreActResNet` under `SingleNetwork` or
    `MixMo`. They take normalised images. If anything does not fit, the error lists all
    problems, and the model does not change.

    Args:
        model: `SingleNetwork`, or `MixMo` with the same number of subnetworks.
        weights: Mapping from the published names to arrays, or the path of a
            checkpoint, for `read_weights`.

    Returns:
        A `Conversion`.

    Raises:
        ValueError: If a name is missing or unexpected, a shape does not fit, a
            weight is NaN or infinite, or a file cannot be read.

    Example:

    ```python
    model = SingleNetwork(WideResNet((8, 8, 3), depth=10, widening=1), 10)
    weights = mixmo_weights(model)
    print(load_mixmo_weights(model, weights))
    ```

    References:
        MixMo, Sections 4.1 and 4.3.
    """
    weights = named_arrays(weights)
    entries = layout(model)
    # PyTorch counts batches; the layers here do not need the count.
    unused = tuple(name for name in weights if name.endswith("num_batches_tracked"))
    arrays = {
        name: as_array(array) for name, array in weights.items() if name not in unused
    }
    require_real(arrays)
    shapes = {
        name: _to_published(np.empty(shape)).shape
        for name, (_, _, shape) in entries.items()
    }
    require_match(
        arrays,
        shapes,
        "`weights` must have the names and shapes of the published network.",
    )
    require_finite({name: arrays[name] for name in entries})
    values: dict[int, tuple] = {}
    for name, (variable, subnetwork, _) in entries.items():
        array = np.asarray(_to_ours(arrays[name]), "float32")
        values.setdefault(id(variable), (variable, {}))[1][subnetwork] = array
    for variable, found in values.values():
        if None in found:
            variable.assign(found[None])
        else:
            variable.assign(np.stack([found[m] for m in range(len(found))]))
    return Conversion(loaded=tuple(entries), unused=unused)


def mixmo_weights(model: keras.Model) -> dict[str, np.ndarray]:
    """The weights of a model under the published MixMo names, to use in that code.

    Args:
        model: `SingleNetwork` or `MixMo` on `WideResNet` or `PreActResNet`.

    Returns:
        Dict from names to float32 arrays.

    Raises:
        ValueError: If the model is not one of the published networks.

    Example:

    ```python
    model = SingleNetwork(WideResNet((8, 8, 3), depth=10, widening=1), 10)
    assert mixmo_weights(model)["fc.weight"].shape == (10, 64)
    ```
    """
    found = {}
    for name, (variable, subnetwork, _) in layout(model).items():
        value = np.asarray(as_array(variable.value), "float32")
        value = value if subnetwork is None else value[subnetwork]
        found[name] = np.ascontiguousarray(_to_published(value))
    return found


def layout(model) -> dict[str, tuple]:
    """The published names of the variables of a model.

    Args:
        model: `SingleNetwork` or `MixMo`.

    Returns:
        Dict from names to tuples: the variable; the index of the subnetwork if the
        variable holds all heads, else `None`; and the shape for one name.

    Raises:
        ValueError: If the model is none of the published networks.
    """
    backbone: Any = getattr(model, "backbone", None)
    subnetworks = getattr(model, "num_subnetworks", 0)
    stems = getattr(model, "stems", [getattr(model, "stem", None)])
    require(
        isinstance(backbone, (WideResNet, PreActResNet))
        and len(stems) == model.heads.num_subnetworks == subnetworks,
        "`model` must be a `SingleNetwork`, or a `MixMo` with M stems and M heads, on "
        "`WideResNet` or `PreActResNet`.",
        model=getattr(model, "name", model),
    )
    entries = {}

    def add(name, variable, subnetwork=None):
        shape = tuple(variable.shape)
        entries[name] = (
            variable,
            subnetwork,
            shape if subnetwork is None else shape[1:],
        )

    for m, stem in enumerate(stems):
        kernel = stem.layers[-1].kernel
        add("conv1.weight" if subnetworks == 1 else f"list_conv1.{m}.weight", kernel)
    for layer in backbone.body.layers:
        if layer.name.startswith("group_"):
            _, group, _, block = layer.name.split("_")
            _add_block(add, f"layer{int(group) + 1}.{block}", layer)
    if isinstance(backbone, WideResNet):
        _add_norm(add, "bn1", backbone.trunk.get_layer("norm"))
    for m in range(subnetworks):
        prefix = "fc" if subnetworks == 1 else f"list_fc.{m}"
        add(f"{prefix}.weight", model.heads.kernel, m)
        add(f"{prefix}.bias", model.heads.bias, m)
    return entries


def _add_block(add, prefix, block):
    for i in range(2):
        _add_norm(add, f"{prefix}.bn{i + 1}", block.norms[i])
        add(f"{prefix}.conv{i + 1}.weight", block.convolutions[i].kernel)
    if block.shortcut is not None:
        add(f"{prefix}.shortcut.0.weight", block.shortcut.kernel)


def _add_norm(add, prefix, norm):
    add(f"{prefix}.weight", norm.gamma)
    add(f"{prefix}.bias", norm.beta)
    add(f"{prefix}.running_mean", norm.moving_mean)
    add(f"{prefix}.running_var", norm.moving_variance)


def _to_published(array):
    """(kh, kw, in, out) as (out, in, kh, kw), and (in, out) as (out, in)."""
    return np.transpose(array, {4: (3, 2, 0, 1), 2: (1, 0)}.get(array.ndim))


def _to_ours(array):
    return np.transpose(array, {4: (2, 3, 1, 0), 2: (1, 0)}.get(array.ndim))
