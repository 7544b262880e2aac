"""Builds our `ViT` of one of keras-hub, which is never imported here."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np

from keras_mixvit._checks import require, require_image_size
from keras_mixvit.backbones import ViT
from keras_mixvit.backbones._keras_backbone import HUB_VITS
from keras_mixvit.convert._arrays import as_array
from keras_mixvit.convert._timm import load_timm_weights

BACKBONE, CLASSIFIER = HUB_VITS
# The value of each option that our `ViT` always has.
FIXED = {"use_mha_bias": True, "use_mlp_bias": True, "use_patch_bias": True}
EMBEDDING, BLOCK = "vit_patching_and_embedding", "vit_encoder/transformer_block"
ATTENTION = ("query", "key", "value", "attention_output")
LINEAR = (*(f"mha/{name}" for name in ATTENTION), "mlp/dense_1", "mlp/dense_2")


@dataclass(frozen=True)
class HubViT:
    """A ViT of keras-hub, read: what `ViT` and a head need.

    Fields:
        backbone: Our `ViT`, with its weights.
        weights: Dict from timm's names to arrays, with the head if there is one.
        source_grid: Tuple of integers (h, w), the grid of the weights.
        num_classes: Integer, the classes of the head, or `None` without a head.
    """

    backbone: ViT
    weights: dict[str, np.ndarray]
    source_grid: tuple[int, int]
    num_classes: int | None


def keras_hub_backbone(
    model: keras.Model,
    image_size: int | tuple[int, int] | None = None,
    changes: dict | None = None,
) -> ViT:
    """A `ViT` with options and weights of a ViT of keras-hub.

    One layer of keras-hub's model holds all blocks, so `KerasBackbone` cannot cut it.
    The copy has the same features: the class token after the last normalisation, or
    the mean of the tokens if there is no class token. It takes the images that `model`
    takes; `changes={"mean": 127.5, "std": 127.5}` makes that images of 0 to 255.

    Args:
        model: `ViTBackbone` or `ViTImageClassifier` of keras-hub. A classifier must
            pool the class token or, without one, average the tokens.
        image_size: Integer or tuple of integers (H, W) in pixels, or `None` for that of
            `model`. For another size, the position table is resized as timm does it.
            Defaults to `None`.
        changes: Dict of arguments of `ViT` to change, or `None`. Defaults to `None`.

    Returns:
        A `ViT`.

    Raises:
        ValueError: If `model` is no such model or has an option that `ViT` lacks; the
            error names the option. Or if `image_size` or `changes` is invalid.

    Example:

    ```python
    # vit = keras_hub.models.ViTBackbone.from_preset("vit_base_patch16_224_imagenet21k")
    backbone = keras_hub_backbone(vit, changes={"mean": 127.5, "std": 127.5})
    model = MixViT(backbone, num_classes=10)
    ```

    References:
        ViT (Dosovitskiy et al., 2021).
    """
    return read_keras_hub(
        model, image_size, changes, keeps_head=False, name="changes"
    ).backbone


def read_keras_hub(
    model: keras.Model,
    image_size: int | tuple[int, int] | None,
    changes: dict | None,
    keeps_head: bool,
    name: str,
) -> HubViT:
    """A ViT of keras-hub, as `keras_hub_backbone` documents.

    Args:
        model: As in `keras_hub_backbone`.
        image_size: As in `keras_hub_backbone`.
        changes: As in `keras_hub_backbone`.
        keeps_head: Boolean, whether the head of a classifier is wanted, too.
        name: String, the name of `changes` in errors.
    """
    kind = _registered_name(model)
    require(
        kind in (BACKBONE, CLASSIFIER),
        "`model` must be a `ViTBackbone` or a `ViTImageClassifier` of keras-hub.",
        model=kind,
    )
    require(
        changes is None or isinstance(changes, dict),
        f"`{name}` must be a dict of arguments, or None.",
        **{name: changes},
    )
    changes = dict(changes or {})
    require(
        not {"image_shape", "patch_size", "num_blocks"} & set(changes),
        f"`{name}` must not have `image_shape` (use `image_size`), `patch_size` or "
        "`num_blocks` (the weights decide them).",
        **{name: sorted(changes)},
    )
    head = model.get_config() if kind == CLASSIFIER else {}
    source: Any = model.backbone if kind == CLASSIFIER else model
    require(
        _registered_name(source) == BACKBONE,
        "`model` must have a `ViTBackbone` of keras-hub.",
        backbone=_registered_name(source),
    )
    config = source.get_config()
    require(
        source.data_format == "channels_last",
        "`model` must have data_format='channels_last'.",
        data_format=source.data_format,
    )
    _require_options(config, head, keeps_head)
    height, width, channels = config["image_shape"]
    patch_size = config["patch_size"][0]
    size = require_image_size(image_size) or (height, width)
    count = config["num_layers"]
    of_trunk = changes.pop("num_class_blocks", min(2, count - 1))
    has_token = bool(config["use_class_token"])
    arguments = {
        "image_shape": (*size, channels),
        "patch_size": patch_size,
        "width": config["hidden_dim"],
        "num_heads": config["num_heads"],
        "num_blocks": count - of_trunk,
        "num_class_blocks": of_trunk,
        "pooling": "token" if has_token else "average",
        "class_token": has_token,
        "norm_after_pooling": None if has_token else False,
        "mlp_ratio": _mlp_ratio(config),
        "epsilon": config["layer_norm_epsilon"],
        "dropout_rate": config["dropout_rate"],
        "attention_dropout_rate": config["attention_dropout"],
        "dtype": source.dtype_policy,
    }
    backbone = ViT(**{**arguments, **changes})
    weights = _timm_weights(source.weights, config)
    grid = height // patch_size, width // patch_size
    load_timm_weights(backbone, weights, source_grid=grid)
    classes = None
    if head and keeps_head:
        found = {weight.path: as_array(weight.value) for weight in model.weights}
        weights["head.weight"] = found["predictions/kernel"].T
        weights["head.bias"] = found["predictions/bias"]
        classes = head["num_classes"]
    return HubViT(backbone, weights, grid, classes)


def _registered_name(model):
    """The name under which keras-hub registers the class of a model, or its base."""
    for kind in type(model).__mro__:
        name = keras.saving.get_registered_name(kind)
        if name in (BACKBONE, CLASSIFIER):
            return name
    return type(model).__name__


def _require_options(config, head, keeps_head):
    for name, value in FIXED.items():
        require(
            config[name] == value,
            f"`model` must have {name}={value}: `ViT` has no other option.",
            **{name: config[name]},
        )
    rows, columns = config["patch_size"]
    require(
        rows == columns,
        "`model` must have square patches: `patch_size` of `ViT` is one integer.",
        patch_size=tuple(config["patch_size"]),
    )
    require(
        config["num_layers"] >= 2,
        "`model` must have `num_layers` of at least 2: `ViT` has a body and a trunk.",
        num_layers=config["num_layers"],
    )
    if not head:
        return
    wanted, why = "gap", " without a class token."
    if config["use_class_token"]:
        wanted, why = "token", ": the average of `ViT` leaves out the class token."
    require(
        head["pooling"] == wanted,
        f"`model` must have pooling={wanted!r}{why}",
        pooling=head["pooling"],
    )
    plain: dict[str, Any] = {"intermediate_dim": None, "dropout": 0.0}
    for name, wanted in plain.items():
        require(
            not keeps_head or head[name] == wanted,
            f"`model` must have {name}={wanted!r} to keep its head. For another head, "
            "give `num_classes`.",
            **{name: head[name]},
        )


def _mlp_ratio(config):
    """A ratio whose product with the width is not rounded below `mlp_dim`."""
    width, hidden = config["hidden_dim"], config["mlp_dim"]
    ratio = hidden / width
    return ratio if int(width * ratio) == hidden else math.nextafter(ratio, math.inf)


def _timm_weights(weights, config):
    """The weights of a backbone under timm's names and in timm's layout."""
    found = {weight.path: as_array(weight.value) for weight in weights}
    count, width = config["num_layers"], config["hidden_dim"]
    names = _names(count, config["use_class_token"])
    require(
        set(found) == set(names),
        "`model` must have the weights of keras-hub's ViT, without LoRA and not "
        "quantized.",
        missing=[name for name in names if name not in found],
        unexpected=[name for name in found if name not in names],
    )
    of = found.__getitem__
    # The kernel of the patches is (row, column, channel, feature).
    kernel = np.transpose(of(f"{EMBEDDING}/patch_embedding/kernel"), (3, 2, 0, 1))
    made = {
        "patch_embed.proj.weight": kernel,
        "patch_embed.proj.bias": of(f"{EMBEDDING}/patch_embedding/bias"),
        "pos_embed": of(f"{EMBEDDING}/position_embedding/embeddings")[None],
        **_norm("norm", found, "vit_encoder/ln"),
    }
    if config["use_class_token"]:
        made["cls_token"] = of(f"{EMBEDDING}/class_token")
    for i in range(count):
        block, ours = f"{BLOCK}_{i + 1}", f"blocks.{i}"
        made |= _norm(f"{ours}.norm1", found, f"{block}/ln_1")
        made |= _norm(f"{ours}.norm2", found, f"{block}/ln_2")
        for layer, name in (("dense_1", "fc1"), ("dense_2", "fc2")):
            made[f"{ours}.mlp.{name}.weight"] = of(f"{block}/mlp/{layer}/kernel").T
            made[f"{ours}.mlp.{name}.bias"] = of(f"{block}/mlp/{layer}/bias")
        # Kernels are (width, heads, features) there, and (heads, features, width)
        # after attention.
        parts = [f"{block}/mha/{part}" for part in ("query", "key", "value")]
        kernels = [of(f"{part}/kernel").reshape(width, -1).T for part in parts]
        biases = [of(f"{part}/bias").reshape(-1) for part in parts]
        made[f"{ours}.attn.qkv.weight"] = np.concatenate(kernels)
        made[f"{ours}.attn.qkv.bias"] = np.concatenate(biases)
        output = f"{block}/mha/attention_output"
        made[f"{ours}.attn.proj.weight"] = of(f"{output}/kernel").reshape(-1, width).T
        made[f"{ours}.attn.proj.bias"] = of(f"{output}/bias")
    return made


def _norm(name, found, path):
    weight, bias = found[f"{path}/gamma"], found[f"{path}/beta"]
    return {f"{name}.weight": weight, f"{name}.bias": bias}


def _names(count, has_token):
    """The paths of all weights of a backbone."""
    names = [f"{EMBEDDING}/class_token"] if has_token else []
    names += [f"{EMBEDDING}/patch_embedding/{kind}" for kind in ("kernel", "bias")]
    names.append(f"{EMBEDDING}/position_embedding/embeddings")
    for i in range(count):
        for layer in ("ln_1", "ln_2"):
            names += [f"{BLOCK}_{i + 1}/{layer}/{kind}" for kind in ("gamma", "beta")]
        for layer in LINEAR:
            names += [f"{BLOCK}_{i + 1}/{layer}/{kind}" for kind in ("kernel", "bias")]
    return [*names, "vit_encoder/ln/gamma", "vit_encoder/ln/beta"]
