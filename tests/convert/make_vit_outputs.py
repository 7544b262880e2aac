"""Writes what timm's ViT computes for tiny models, as `make_timm_outputs` does.

    python -m tests.convert.make_vit_outputs

The file holds the number of parameters of the published models too.
"""

import json
from functools import partial
from pathlib import Path

import numpy as np
import torch

from tests.convert.make_timm_outputs import outputs, stand_in_for_torchvision
from tests.convert.timm_cases import (
    NUM_CLASSES,
    PATCH_SIZE,
)
from tests.convert.vit_cases import BLOCKS, CASES, NUM_BLOCKS, NUM_CLASS_BLOCKS

PATH = Path(__file__).parent / "vit_outputs.npz"
PUBLISHED = (
    "vit_tiny_patch16_224",
    "vit_tiny_patch16_384",
    "vit_small_patch16_224",
    "vit_small_patch16_384",
    "vit_base_patch16_224",
    "vit_base_patch16_384",
    "vit_large_patch16_224",
    "vit_large_patch16_384",
    "deit_tiny_patch16_224",
    "deit_small_patch16_224",
    "deit_base_patch16_224",
    "deit_base_patch16_384",
    "deit3_small_patch16_224",
    "deit3_small_patch16_384",
    "deit3_base_patch16_224",
    "deit3_base_patch16_384",
    "deit_tiny_distilled_patch16_224",
    "deit_small_distilled_patch16_224",
    "deit_base_distilled_patch16_224",
    "deit_base_distilled_patch16_384",
    "vit_base_patch32_clip_224",
    "vit_base_patch16_clip_224",
    "vit_large_patch14_clip_224",
    "vit_base_patch32_clip_quickgelu_224",
    "vit_base_patch16_clip_quickgelu_224",
    "vit_large_patch14_clip_quickgelu_224",
    "vit_small_patch14_reg4_dinov2",
    "vit_base_patch14_reg4_dinov2",
)


def timm_model(case):
    """timm's model of a case, in float64."""
    from timm.layers import LayerNorm, SwiGLUPacked
    from timm.models.deit import VisionTransformerDistilled
    from timm.models.vision_transformer import VisionTransformer

    arguments = dict(case.timm)
    if arguments.pop("swiglu", False):
        arguments |= {"mlp_layer": SwiGLUPacked, "act_layer": torch.nn.SiLU}
    if "eps" in arguments:
        arguments["norm_layer"] = partial(LayerNorm, eps=arguments.pop("eps"))
    is_distilled = arguments.pop("distilled", False)
    kind = VisionTransformerDistilled if is_distilled else VisionTransformer
    model = kind(
        img_size=case.image_size,
        patch_size=PATCH_SIZE,
        in_chans=case.channels,
        num_classes=NUM_CLASSES,
        embed_dim=case.width,
        depth=NUM_BLOCKS + NUM_CLASS_BLOCKS,
        num_heads=case.num_heads,
        **arguments,
    )
    for block in model.blocks:
        # Fused attention never forms the weights.
        block.attn.fused_attn = False
    return model.double().eval()


def counts():
    """Parameters of the published models, with a head of 1000 classes."""
    import timm

    found = {}
    for name in PUBLISHED:
        model = timm.create_model(name, num_classes=1000, device="meta")
        found[name] = sum(p.numel() for p in model.parameters())
    return found


def resized_table():
    """A position table of 1 + 3 x 3 tokens as timm resizes it to 1 + 2 x 4."""
    from timm.layers import resample_abs_pos_embed

    table = np.random.default_rng(2).standard_normal((1, 10, 5)).astype("float32")
    resized = resample_abs_pos_embed(torch.from_numpy(table), (2, 4), (3, 3), 1)
    return {"resized/from": table, "resized/to": resized.numpy()}


if __name__ == "__main__":
    stand_in_for_torchvision()
    stored = {
        f"{name}/{key}": array
        for name, case in CASES.items()
        for key, array in outputs(case, timm_model(case), BLOCKS).items()
    }
    stored["counts"] = np.array(json.dumps(counts()))
    np.savez_compressed(PATH, **stored, **resized_table())
