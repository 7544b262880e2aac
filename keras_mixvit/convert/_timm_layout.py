"""The names and layouts of the weights of a vision transformer in timm.

It is a table with one entry per variable of this library. timm's models and the
original releases of CaiT, ConViT and DeiT share their names. Blocks keep their names in
timm's other models: class attention is `blocks_token_only`.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np

from keras_mixvit._checks import require
from keras_mixvit.backbones import ConViT, ViT
from keras_mixvit.backbones._vision_transformer import VisionTransformer
from keras_mixvit.layers import (
    ClassAttentionBlock,
    GatedPositionalAttention,
    SubnetworkHeads,
    TalkingHeadsAttention,
)


@dataclass(frozen=True)
class Entry:
    """A variable of this library, and its name and layout in timm.

    Args:
        key: String, timm's name.
        variable: The Keras variable.
        layout: `"same"`, `"linear"` (timm has (out, in)), `"patches"` (a
            convolution), `"tokens"` (timm has (1, tokens, features)), or
            `"head"` and `"head_bias"` (one of M).
        part: Tuple of integers (first, end), the range of timm's outputs or tokens, or
            `None` for all. The parts of an array are next to each other in the table.
            Defaults to `None`.
    """

    key: str
    variable: keras.Variable
    layout: str
    part: tuple[int, int] | None = None

    @property
    def axis(self) -> int:
        """The axis along which timm's array has parts."""
        return 1 if self.layout == "tokens" else 0

    def to_ours(self, array: np.ndarray) -> np.ndarray:
        """timm's array in the layout of the variable."""
        shape = tuple(self.variable.shape)
        if self.part is not None:
            array = np.take(array, range(*self.part), axis=self.axis)
        if self.layout == "linear":
            return array.T
        if self.layout == "patches":
            return np.transpose(array, (2, 3, 1, 0)).reshape(shape)
        if self.layout == "tokens":
            return array.reshape(shape)
        if self.layout == "head":
            return np.broadcast_to(array.T, shape)
        return np.broadcast_to(array, shape)

    def to_timm(self, array: np.ndarray, subnetwork: int, patch_size: int):
        """The value of the variable in timm's layout, or one part of timm's array."""
        if self.layout == "linear":
            return array.T
        if self.layout == "patches":
            # The rows of the kernel are (row, column, channel) of a patch.
            patches = array.reshape(patch_size, patch_size, -1, array.shape[-1])
            return np.transpose(patches, (3, 2, 0, 1))
        if self.layout == "tokens":
            return array.reshape(1, -1, array.shape[-1])
        if self.layout == "head":
            return array[subnetwork].T
        return array[subnetwork] if self.layout == "head_bias" else array


def backbone_entries(backbone: VisionTransformer, stems=None) -> list[Entry]:
    """The entries of all variables of a backbone.

    Args:
        backbone: `VisionTransformer`.
        stems: List of stems that all get timm's embedding, or `None` for the backbone's
            stem. Defaults to `None`.

    Returns:
        List of entries.

    Raises:
        ValueError: If timm does not have the backbone.
    """
    require(
        isinstance(backbone, VisionTransformer),
        "`model` must have a vision transformer as its backbone, CaiT, ConViT or ViT.",
        backbone=type(backbone).__name__,
    )
    body, trunk = backbone.body, backbone.trunk
    entries = []
    for stem in stems or [backbone.stem]:
        embedding = stem.layers[-1]
        entries.append(Entry("patch_embed.proj.weight", embedding.kernel, "patches"))
        if embedding.bias is not None:
            entries.append(Entry("patch_embed.proj.bias", embedding.bias, "same"))
    is_vit = isinstance(backbone, ViT)
    entries += _tokens(backbone)
    if is_vit and backbone.pre_norm:
        entries += _norm("norm_pre", body.get_layer("first_norm"))
    for i in range(backbone.num_blocks):
        entries += _block(f"blocks.{i}", body.get_layer(f"block_{i}"), is_vit)
    # The numbers of self-attention blocks over class token and patches continue.
    counts_on = is_vit or (
        isinstance(backbone, ConViT) and backbone.trunk_attention == "self_attention"
    )
    for i in range(backbone.num_class_blocks):
        key = f"blocks.{backbone.num_blocks + i}"
        key = key if counts_on else f"blocks_token_only.{i}"
        block = trunk.get_layer(f"class_block_{i}")
        entries += _block(key, block, is_vit, counts_on)
    norm = "fc_norm" if is_vit and backbone.normalizes_mean else "norm"
    return entries + _norm(norm, trunk.get_layer("norm"))


def prefix_slots(backbone: VisionTransformer) -> int:
    """The number of entries of timm's position table that do not belong to a patch."""
    has_slots = isinstance(backbone, ViT) and backbone.prefix_positions
    return backbone.num_prefix_tokens if has_slots else 0


def _tokens(backbone):
    table = backbone.body.get_layer("position").table
    if not isinstance(backbone, ViT):
        token = backbone.trunk.get_layer("class_token").token
        return [
            Entry("pos_embed", table, "tokens"),
            Entry("cls_token", token, "tokens"),
        ]
    entries, slots = [], prefix_slots(backbone)
    if backbone.num_prefix_tokens:
        tokens = backbone.body.get_layer("prefix_tokens")
        if tokens.token is not None:
            entries.append(Entry("cls_token", tokens.token, "tokens"))
        if tokens.registers is not None:
            key = "dist_token" if backbone.is_distilled else "reg_token"
            entries.append(Entry(key, tokens.registers, "tokens"))
        if slots:
            part = (0, slots)
            entries.append(Entry("pos_embed", tokens.positions, "tokens", part))
    part = (slots, slots + math.prod(backbone.grid_shape))
    return [*entries, Entry("pos_embed", table, "tokens", part)]


def with_timm_names(weights: Mapping) -> dict:
    """Weights of a ViT under timm's names; DeiT-III has other names for layer scale."""
    return {
        re.sub(r"^(blocks\.\d+)\.gamma_([12])$", r"\1.ls\2.gamma", name): array
        for name, array in weights.items()
    }


def head_entries(heads: SubnetworkHeads) -> list[Entry]:
    """The entries of the heads; timm's single head is the value of each."""
    return [
        Entry("head.weight", heads.kernel, "head"),
        Entry("head.bias", heads.bias, "head_bias"),
    ]


def timm_arrays(
    entries: list[Entry], values: list, subnetwork: int, patch_size: int
) -> dict[str, np.ndarray]:
    """The values of entries as arrays under timm's names."""
    found = {}
    for entry, value in zip(entries, values, strict=True):
        array = entry.to_timm(value, subnetwork, patch_size)
        if entry.part is not None and entry.key in found:
            array = np.concatenate([found[entry.key], array], axis=entry.axis)
        found[entry.key] = array
    return {key: np.ascontiguousarray(array) for key, array in found.items()}


def timm_shapes(entries: list[Entry], patch_size: int) -> dict[str, tuple[int, ...]]:
    """The shapes of timm's arrays for entries."""
    shapes = {}
    for entry in entries:
        shape = tuple(entry.variable.shape)
        if entry.layout == "linear":
            shape = shape[::-1]
        elif entry.layout == "patches":
            channels = shape[0] // patch_size**2
            shape = (shape[1], channels, patch_size, patch_size)
        elif entry.layout == "tokens":
            shape = (1, math.prod(shape[:-1]), shape[-1])
        elif entry.layout == "head":
            shape = shape[:0:-1]
        elif entry.layout == "head_bias":
            shape = shape[1:]
        if entry.part is not None:
            axis = entry.axis
            shape = (*shape[:axis], entry.part[1], *shape[axis + 1 :])
        shapes[entry.key] = shape
    return shapes


def _block(key, block, is_vit, fused=False):
    entries = _norm(f"{key}.norm1", block.attention_norm)
    entries += _norm(f"{key}.norm2", block.mlp_norm)
    entries += _dense(f"{key}.mlp.fc1", block.mlp.expand)
    entries += _dense(f"{key}.mlp.fc2", block.mlp.project)
    if block.layer_scale is not None:
        for i, scale in enumerate((block.attention_scale, block.mlp_scale), start=1):
            name = f"ls{i}.gamma" if is_vit else f"gamma_{i}"
            entries.append(Entry(f"{key}.{name}", scale.gain, "same"))
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
            width = kernel.shape[-1]
            part = (third * width, (third + 1) * width)
            entries += _linear(f"{key}.qkv", kernel, bias, part)
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


def _linear(key, kernel, bias, part=None):
    entries = [Entry(f"{key}.weight", kernel, "linear", part)]
    if bias is not None:
        entries.append(Entry(f"{key}.bias", bias, "same", part))
    return entries
