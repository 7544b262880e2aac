"""Writes what timm's CaiT and ConViT compute for tiny models.

    pip install torch && pip install --no-deps timm==1.0.31
    python -m tests.convert.make_timm_outputs

For every case: the names and shapes of timm's parameters, the logits, the
output and the attention weights of each block, and for some cases a part of
every gradient. timm computes in float64, so that what is stored is exact to
float32. Weights and images are not stored: they are drawn from seeds.

timm does not come without torchvision, of which these models use nothing:
inert modules stand for it.
"""

import json
import sys
from functools import partial
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from tests.convert.timm_cases import (
    BLOCKS,
    CASES,
    NUM_BLOCKS,
    NUM_CLASS_BLOCKS,
    NUM_CLASSES,
    PATCH_SIZE,
    direction,
    drawn_weights,
    images,
    stored_part,
)

PATH = Path(__file__).parent / "timm_outputs.npz"
TORCHVISION = (
    "torchvision",
    "torchvision.datasets",
    "torchvision.models",
    "torchvision.models.feature_extraction",
    "torchvision.ops",
    "torchvision.ops.misc",
    "torchvision.transforms",
    "torchvision.transforms.functional",
)


class InertClass(type):
    """A class whose attributes are their own names."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return name


class InertModule(ModuleType):
    """A module that has every class, none of which does anything."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return InertClass(name, (), {})


def stand_in_for_torchvision():
    """Puts inert modules where timm looks for torchvision."""
    for name in TORCHVISION:
        module = sys.modules[name] = InertModule(name)
        module.__path__ = []
        parent, _, child = name.rpartition(".")
        if parent:
            setattr(sys.modules[parent], child, module)


def timm_model(case):
    """timm's model of a case, in float64."""
    from timm.models.cait import Cait, LayerScaleBlockClassAttn
    from timm.models.convit import ConVit

    arguments = {
        "img_size": case.image_size,
        "patch_size": PATCH_SIZE,
        "in_chans": case.channels,
        "num_classes": NUM_CLASSES,
        "num_heads": case.num_heads,
        "qkv_bias": case.qkv_bias,
    }
    has_self_attention = case.trunk_attention == "self_attention"
    if case.backbone == "cait":
        model = Cait(
            embed_dim=case.width,
            depth=NUM_BLOCKS,
            depth_token_only=NUM_CLASS_BLOCKS,
            **arguments,
        )
    else:
        model = ConVit(
            # timm multiplies it by the number of heads.
            embed_dim=case.head_width,
            depth=NUM_BLOCKS + (NUM_CLASS_BLOCKS if has_self_attention else 0),
            local_up_to_layer=NUM_BLOCKS,
            **arguments,
        )
        if not has_self_attention:
            blocks = [
                LayerScaleBlockClassAttn(
                    case.width,
                    case.num_heads,
                    qkv_bias=case.qkv_bias,
                    norm_layer=partial(torch.nn.LayerNorm, eps=1e-6),
                )
                for _ in range(NUM_CLASS_BLOCKS)
            ]
            for block in blocks:
                del block.gamma_1, block.gamma_2
                block.gamma_1 = block.gamma_2 = 1.0
            model.blocks_token_only = torch.nn.ModuleList(blocks)
            model.forward = partial(class_attention_forward, model)
        for block in model.blocks[:NUM_BLOCKS]:
            # timm takes every grid for a square.
            block.attn.rel_indices = offsets(case.grid)
    for block in getattr(model, "blocks_token_only", ()):
        # Fused attention never forms the weights.
        block.attn.fused_attn = False
    return model.double().eval()


def class_attention_forward(model, pixels):
    """Logits of ConViT's blocks followed by CaiT's class attention."""
    tokens = model.patch_embed(pixels) + model.pos_embed
    for block in model.blocks:
        tokens = block(tokens)
    token = model.cls_token.expand(len(tokens), -1, -1)
    for block in model.blocks_token_only:
        token = block(tokens, token)
    return model.head(model.norm(token)[:, 0])


def offsets(grid):
    """(dx, dy, dx² + dy²) of every key from every query, `(1, N, N, 3)`."""
    rows, columns = np.indices(grid).reshape(2, -1)
    across = columns[None, :] - columns[:, None]
    down = rows[None, :] - rows[:, None]
    found = np.stack([across, down, across**2 + down**2], axis=-1)
    return torch.tensor(found[None], dtype=torch.float64)


def outputs(case, model, names):
    """Everything that is stored of a case, by its name.

    Args:
        case: `Case` or `VitCase`.
        model: timm's model of it.
        names: Our names of its blocks, in the order in which they run.
    """
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    weights = drawn_weights(shapes)
    model.load_state_dict({n: torch.from_numpy(w) for n, w in weights.items()})
    found = {"shapes": np.array(json.dumps(shapes))}

    def keep(kind, name, module, inputs, output):
        if case.only_token_leaves(name):
            # Tokens are the last axis but one of features and maps.
            output = output[..., 0, :]
        found[f"{kind}/{name}"] = output.detach().numpy()

    blocks = [*model.blocks, *getattr(model, "blocks_token_only", ())]
    for name, block in zip(names, blocks, strict=True):
        block.register_forward_hook(partial(keep, "features", name))
        block.attn.attn_drop.register_forward_hook(partial(keep, "attention", name))
    logits = model(torch.from_numpy(images(case)).double().permute(0, 3, 1, 2))
    found["logits"] = logits.detach().numpy()
    if case.has_gradients:
        (logits * torch.from_numpy(direction())).sum().backward()
        for name, parameter in model.named_parameters():
            found[f"gradients/{name}"] = stored_part(parameter.grad.numpy())
    return {
        key: array.astype("float32") if array.dtype == "float64" else array
        for key, array in found.items()
    }


if __name__ == "__main__":
    stand_in_for_torchvision()
    stored = {
        f"{name}/{key}": array
        for name, case in CASES.items()
        for key, array in outputs(case, timm_model(case), BLOCKS).items()
    }
    np.savez_compressed(PATH, **stored)
