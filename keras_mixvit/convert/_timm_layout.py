"""How timm names and lays out the weights of a vision transformer.

A table of entries, one per variable of ours. timm's models and the original
releases of CaiT and ConViT share their names. Blocks that timm has in another
model keep their names there: class attention is `blocks_token_only`.
"""

import math
from dataclasses import dataclass

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import (
    ClassAttentionBlock,
    GatedPositionalAttention,
    SubnetworkHeads,
    TalkingHeadsAttention,
)


@dataclass(frozen=True)
class Entry:
    """One variable of ours and where timm has it.

    Args:
        key: String, timm's name.
        variable: The Keras variable.
        layout: `"same"`, `"linear"` (timm has (out, in)), `"patches"` (a
            convolution), `"position"`, `"token"`, or `"head"` and
            `"head_bias"` (one of M).
        third: 0, 1 or 2, which third of timm's outputs, or `None` for all.
            Defaults to `None`.
    """

    key: str
    variable: keras.Variable
    layout: str
    third: int | None = None

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """timm's array in the layout of the variable."""
        shape = tuple(self.variable.shape)
        if self.third is not None:
            array = np.split(array, 3)[self.third]
        if self.layout == "linear":
            return array.T
        if self.layout == "patches":
            return np.transpose(array, (2, 3, 1, 0)).reshape(shape)
        if self.layout in ("position", "token"):
            return array.reshape(shape)
        if self.layout == "head":
            return np.broadcast_to(array.T, shape)
        return np.broadcast_to(array, shape)

    def to_timm(self, array: np.ndarray, subnetwork: int, patch_size: int):
        """The value of the variable in timm's layout, or a third of timm's."""
        if self.layout == "linear":
            return array.T
        if self.layout == "patches":
            # Rows are (row, column, channel) of a patch.
            patches = array.reshape(patch_size, patch_size, -1, array.shape[-1])
            return np.transpose(patches, (3, 2, 0, 1))
        if self.layout == "position":
            return array.reshape(1, -1, array.shape[-1])
        if self.layout == "token":
            return array[None]
        if self.layout == "head":
            return array[subnetwork].T
        return array[subnetwork] if self.layout == "head_bias" else array


def backbone_entries(backbone: VisionTransformer, stems=None) -> list[Entry]:
    """Entries of all variables of a backbone.

    Args:
        backbone: `VisionTransformer`.
        stems: List of stems, all of which timm's embedding is for, or `None`
            for the backbone's own. Defaults to `None`.

    Returns:
        List of entries.

    Raises:
        ValueError: If the backbone is none of timm's.
    """
    require(
        isinstance(backbone, VisionTransformer),
        "`model` must have a vision transformer as its backbone, CaiT or ConViT.",
        backbone=type(backbone).__name__,
    )
    body, trunk = backbone.body, backbone.trunk
    entries = []
    for stem in stems or [backbone.stem]:
        embedding = stem.layers[-1]
        entries += [
            Entry("patch_embed.proj.weight", embedding.kernel, "patches"),
            Entry("patch_embed.proj.bias", embedding.bias, "same"),
        ]
    entries += [
        Entry("pos_embed", body.get_layer("position").table, "position"),
        Entry("cls_token", trunk.get_layer("class_token").token, "token"),
    ]
    for i in range(backbone.num_blocks):
        entries += _block(f"blocks.{i}", body.get_layer(f"block_{i}"))
    # As in ConViT, self-attention over class token and patches counts on.
    self_attention = getattr(backbone, "trunk_attention", None) == "self_attention"
    for i in range(backbone.num_class_blocks):
        block = trunk.get_layer(f"class_block_{i}")
        if self_attention:
            entries += _block(f"blocks.{backbone.num_blocks + i}", block, fused=True)
        else:
            entries += _block(f"blocks_token_only.{i}", block)
    return entries + _norm("norm", trunk.get_layer("norm"))


def head_entries(heads: SubnetworkHeads) -> list[Entry]:
    """Entries of the heads: timm's one head is each of ours."""
    return [
        Entry("head.weight", heads.kernel, "head"),
        Entry("head.bias", heads.bias, "head_bias"),
    ]


def timm_arrays(
    entries: list[Entry], values: list, subnetwork: int, patch_size: int
) -> dict[str, np.ndarray]:
    """Values of the variables of entries as arrays under timm's names."""
    found = {}
    for entry, value in zip(entries, values, strict=True):
        array = entry.to_timm(value, subnetwork, patch_size)
        if entry.third is None:
            found[entry.key] = array
        else:
            found.setdefault(entry.key, []).append(array)
    return {
        key: np.ascontiguousarray(np.concatenate(a) if isinstance(a, list) else a)
        for key, a in found.items()
    }


def timm_shapes(entries: list[Entry], patch_size: int) -> dict[str, tuple[int, ...]]:
    """Shapes of timm's arrays that fill the variables of entries."""
    shapes = {}
    for entry in entries:
        shape = tuple(entry.variable.shape)
        if entry.layout == "linear":
            shape = shape[::-1]
        elif entry.layout == "patches":
            channels = shape[0] // patch_size**2
            shape = (shape[1], channels, patch_size, patch_size)
        elif entry.layout == "position":
            shape = (1, math.prod(shape[:-1]), shape[-1])
        elif entry.layout == "token":
            shape = (1, *shape)
        elif entry.layout == "head":
            shape = shape[:0:-1]
        elif entry.layout == "head_bias":
            shape = shape[1:]
        if entry.third is not None:
            shape = (3 * shape[0], *shape[1:])
        shapes[entry.key] = shape
    return shapes


def _block(key, block, fused=False):
    entries = _norm(f"{key}.norm1", block.attention_norm)
    entries += _norm(f"{key}.norm2", block.mlp_norm)
    entries += _dense(f"{key}.mlp.fc1", block.mlp.expand)
    entries += _dense(f"{key}.mlp.fc2", block.mlp.project)
    if block.layer_scale is not None:
        entries.append(Entry(f"{key}.gamma_1", block.attention_scale.gain, "same"))
        entries.append(Entry(f"{key}.gamma_2", block.mlp_scale.gain, "same"))
    if isinstance(block, ClassAttentionBlock):
        return entries + _class_attention(f"{key}.attn", block.attention, fused)
    if isinstance(block.attention, GatedPositionalAttention):
        return entries + _gated_positional_attention(f"{key}.attn", block.attention)
    entries += _dense(f"{key}.attn.qkv", block.attention.qkv)
    entries += _dense(f"{key}.attn.proj", block.attention.projection)
    if isinstance(block.attention, TalkingHeadsAttention):
        for name, heads in (("proj_l", "score"), ("proj_w", "weight")):
            kernel = getattr(block.attention, f"{heads}_heads_kernel")
            bias = getattr(block.attention, f"{heads}_heads_bias")
            entries += _linear(f"{key}.attn.{name}", kernel, bias)
    return entries


def _class_attention(key, attention, fused):
    entries = _linear(
        f"{key}.proj", attention.projection_kernel, attention.projection_bias
    )
    for third, name in enumerate(("query", "key", "value")):
        kernel = getattr(attention, f"{name}_kernel")
        bias = getattr(attention, f"{name}_bias")
        if fused:
            entries += _linear(f"{key}.qkv", kernel, bias, third)
        else:
            entries += _linear(f"{key}.{name[0]}", kernel, bias)
    return entries


def _gated_positional_attention(key, attention):
    return [
        *_dense(f"{key}.qk", attention.query_key),
        *_dense(f"{key}.v", attention.value),
        *_dense(f"{key}.proj", attention.projection),
        *_linear(f"{key}.pos_proj", attention.position_kernel, attention.position_bias),
        Entry(f"{key}.gating_param", attention.gate, "same"),
    ]


def _norm(key, norm):
    return [
        Entry(f"{key}.weight", norm.gamma, "same"),
        Entry(f"{key}.bias", norm.beta, "same"),
    ]


def _dense(key, dense):
    return _linear(key, dense.kernel, dense.bias)


def _linear(key, kernel, bias, third=None):
    entries = [Entry(f"{key}.weight", kernel, "linear", third)]
    if bias is not None:
        entries.append(Entry(f"{key}.bias", bias, "same", third))
    return entries
