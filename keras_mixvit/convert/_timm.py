import math
import os
from collections.abc import Mapping

import keras
import numpy as np

from keras_mixvit._checks import is_integer, require
from keras_mixvit.backbones import ViT
from keras_mixvit.convert._arrays import (
    as_array,
    named_arrays,
    require_finite,
    require_match,
    require_real,
)
from keras_mixvit.convert._conversion import Conversion
from keras_mixvit.convert._distilled_heads import (
    HEADS,
    with_one_head,
    with_two_heads,
)
from keras_mixvit.convert._positions import resized_grid
from keras_mixvit.convert._timm_layout import (
    backbone_entries,
    head_entries,
    prefix_slots,
    timm_arrays,
    timm_shapes,
    with_timm_names,
)

HEAD = tuple(f"{head}.{kind}" for head in HEADS for kind in ("weight", "bias"))


def load_timm_weights(
    model: keras.Model,
    weights: Mapping | str | os.PathLike,
    include_head: bool | None = None,
    source_grid: tuple[int, int] | None = None,
) -> Conversion:
    """Loads weights of timm's CaiT, ConViT, ViT or DeiT into a model.

    Weights of the original releases of CaiT, ConViT, DeiT and DeiT-III fit, too. If the
    model has another grid, the position table is resized (bicubic, antialiased, as timm
    does), except its entries for class token and registers. Gated positional attention
    uses offsets between tokens and needs no resizing. If anything does not fit, the
    error lists all problems, and the model does not change.

    Args:
        model: `SingleNetwork`, `MixViT`, or the `CaiT`, `ConViT` or `ViT` alone.
        weights: Mapping from timm's names to arrays, or the path of a file
            that `read_weights` reads.
        include_head: Boolean, whether to load the head, into all heads of the model.
            `None` loads it if the model has exactly one head. Defaults to `None`.
        source_grid: Tuple of integers (h, w), the grid of the weights, or `None`: the
            grid of the model if the numbers of positions are equal, else a square.
            Defaults to `None`.

    Returns:
        A `Conversion`, which lists the loaded and the other weights.

    Raises:
        ValueError: If a name is missing or unexpected, a shape does not fit, a
            weight is NaN or infinite, or a file cannot be read.

    Example:

    ```python
    cait = CaiT((8, 8, 1), 2, 16, 4, num_blocks=1)
    weights = timm_weights(SingleNetwork(cait, num_classes=10))
    model = MixViT(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1), num_classes=5)
    print(load_timm_weights(model, weights))
    ```

    References:
        CaiT (Touvron et al., 2021); ConViT (d'Ascoli et al., 2021); ViT
        (Dosovitskiy et al., 2021).
    """
    backbone, heads = parts(model)
    weights = named_arrays(weights)
    if isinstance(backbone, ViT):
        weights = with_timm_names(weights)
    if include_head is None:
        include_head = heads is not None and heads.num_subnetworks == 1
    require(
        heads is not None or not include_head,
        "`include_head` must be False for a backbone, which has no head.",
        include_head=include_head,
    )
    entries = backbone_entries(backbone, getattr(model, "stems", None))
    if include_head:
        entries = entries + head_entries(heads)
    expected = timm_shapes(entries, backbone.patch_size)
    unused = tuple(name for name in HEAD if name in weights and not include_head)
    arrays = {
        name: as_array(array) for name, array in weights.items() if name not in unused
    }
    require_real(arrays)
    require(
        not isinstance(backbone, ViT)
        or ("dist_token" in arrays) == backbone.is_distilled,
        "`weights` must have a distillation token, 'dist_token', if and only if "
        "`model` has pooling='distilled'.",
        pooling=getattr(backbone, "pooling", None),
        dist_token="dist_token" in arrays,
    )
    names = tuple(arrays)
    if include_head and _is_distilled(backbone):
        arrays = with_one_head(arrays)
    resized: tuple[str, ...] = ()
    if "pos_embed" in arrays:
        table = _resized(
            arrays["pos_embed"],
            backbone.grid_shape,
            source_grid,
            prefix_slots(backbone),
        )
        resized = ("pos_embed",) if table is not arrays["pos_embed"] else ()
        arrays["pos_embed"] = table
    require_match(
        arrays,
        expected,
        "`weights` must have the names and shapes of timm's model of the same size.",
    )
    require_finite({name: arrays[name] for name in expected})
    # Reads everything before it writes anything, so an error cannot leave half a model.
    values = [entry.to_ours(arrays[entry.key]) for entry in entries]
    for entry, value in zip(entries, values, strict=True):
        entry.variable.assign(value)
    touched = {id(entry.variable) for entry in entries}
    return Conversion(
        loaded=tuple(dict.fromkeys((*expected, *names))),
        resized=resized,
        unused=unused,
        untouched=tuple(
            variable.path for variable in model.weights if id(variable) not in touched
        ),
    )


def timm_weights(
    model: keras.Model, subnetwork: int | None = None
) -> dict[str, np.ndarray]:
    """The weights of a model under timm's names and in timm's layout, to use in timm.

    timm has no source attribution, so it is left out.

    Args:
        model: `SingleNetwork`, `MixViT`, or the `CaiT`, `ConViT` or `ViT` alone.
        subnetwork: Integer, the subnetwork whose head to include, or `None` for the
            head of a single network and no head of several. Defaults to `None`.

    Returns:
        Dict from names to float32 arrays, as `safetensors.numpy.save_file` or
        `numpy.savez` write it.

    Raises:
        ValueError: If the model has no such subnetwork.

    Example:

    ```python
    weights = timm_weights(CaiT((8, 8, 1), 2, 16, 4, num_blocks=1))
    assert weights["patch_embed.proj.weight"].shape == (16, 1, 2, 2)
    ```
    """
    backbone, heads = parts(model)
    count = 0 if heads is None else heads.num_subnetworks
    require(
        subnetwork is None or (is_integer(subnetwork) and 0 <= subnetwork < count),
        f"`subnetwork` must be None or the index of one of {count} heads.",
        subnetwork=subnetwork,
    )
    stems = getattr(model, "stems", [])
    entries = backbone_entries(backbone, stems[subnetwork or 0 :][:1] or stems)
    if count == 1 or subnetwork is not None:
        entries = entries + head_entries(heads)
    values = [
        np.asarray(keras.ops.convert_to_numpy(entry.variable.value), "float32")
        for entry in entries
    ]
    arrays = timm_arrays(entries, values, subnetwork or 0, backbone.patch_size)
    has_two_heads = _is_distilled(backbone) and "head.bias" in arrays
    return with_two_heads(arrays) if has_two_heads else arrays


def parts(model):
    """The backbone of a model (or the model itself), and its heads or `None`."""
    return getattr(model, "backbone", model), getattr(model, "heads", None)


def _is_distilled(backbone):
    return isinstance(backbone, ViT) and backbone.is_distilled


def _resized(table, grid_shape, source_grid, slots):
    """A position table `(1, slots + N, d)` resized to a grid, or the table itself."""
    positions = math.prod(grid_shape)
    if table.ndim != 3:
        return table
    found = table.shape[1] - slots
    grid = source_grid
    if grid is None:
        side = math.isqrt(max(found, 0))
        grid = grid_shape if found == positions else (side, side)
    require(
        np.shape(grid) == (2,)
        and all(map(is_integer, grid))
        and math.prod(grid) == found > 0,
        f"`source_grid` must be (h, w) with as many positions as the table, {found}.",
        source_grid=source_grid,
    )
    if tuple(grid) == tuple(grid_shape):
        return table
    prefix, table = np.split(table.astype("float32"), [slots], axis=1)
    resized = resized_grid(table.reshape(*grid, -1), grid_shape)
    return np.concatenate([prefix, resized.reshape(1, positions, -1)], axis=1)
